"""Results as Markdown."""

from __future__ import annotations

import math
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from .plan import Arm, Plan, share_percent, share_title
from .results import Record, Results
from .statistics import Difference, Spread, paired, spread

DASH = '–'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others figures."""
    lines = [head, ['---', *['---:'] * (len(head) - 1)], *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def pm(value: Spread, digits: int = 2) -> str:
    """``12.34 ± 0.56``; one seed has no deviation."""
    if value.mean is None:
        return DASH
    return f'{value.mean:.{digits}f}' + (f' ± {value.std:.{digits}f}' if value.std is not None else '')


def signed(value: Difference) -> str:
    """``+1.23 (0.98 to 1.48)``."""
    if value.mean is None:
        return DASH
    return f'{value.mean:+.2f}' + (f' ({value.low:+.2f} to {value.high:+.2f})' if value.low is not None else '')


def p_value(value: Difference) -> str:
    """``= 0.012``, ``< 0.0001``, or why there is none."""
    if value.p is not None:
        return f'= {value.p:.2g}' if value.p >= 1e-4 else '< 0.0001'
    return {0: DASH, 1: 'one seed, no test'}.get(value.count, 'no spread, no test')


def count(found: int, planned: int) -> str:
    """``5``, or ``3 of 5`` where runs are missing."""
    return str(found) if found == planned else f'{found} of {planned}'


#: Share of the labels, in percent, at which the paper has all arms (its Tables 1 and 4).
PAPER_SHARE = 5


def paper(arm: Arm, interval: int, headline: bool) -> str:
    """The paper's figures at its share nearest to ours, if they differ by less than a factor of two.

    At the headline share those at 5 % stand before it, where the paper has every arm.
    """
    ours = share_percent(interval)
    near = min((share for share, *_ in arm.paper), key=lambda share: abs(math.log(share / ours)), default=None)
    wanted = [PAPER_SHARE] if headline else []
    if near is not None and abs(math.log(near / ours)) < math.log(2) and near not in wanted:
        wanted.append(near)
    found = {share: ' / '.join(f'{v:.2f}' for v in figures if v is not None) for share, *figures in arm.paper}
    return '; '.join(f'{found[share]} ({share:g} %)' for share in wanted if share in found) or DASH


def paper_ap(arm: Arm) -> Optional[float]:
    """The paper's mAP at the share where it has every arm."""
    return next((ap for share, ap, _ in arm.paper if share == PAPER_SHARE), None)


def over_baseline(plan: Plan, name: str) -> List[str]:
    """Headings of a metric's difference to the baseline and of its p."""
    return [f'{name} over {plan.arm(plan.baseline).title}, same seeds (95 % CI)', 'p']


def headline_table(results: Results) -> str:
    """Every arm at the headline share."""
    plan, names = results.plan, results.metric_names()
    head = ['start of the detector', 'encoders loaded', 'seeds', *names]
    for name in names:
        head += over_baseline(plan, name)
    head.append('the paper: nuScenes (share), full size, mAP / NDS')
    rows = []
    for arm in plan.headline_arms():
        cell = ('finetune', arm.name, plan.headline)
        row = [
            arm.title,
            loaded(results, arm),
            count(len(results.cell(*cell)), results.planned(*cell)),
            *[pm(results.spread(name, *cell)) for name in names],
        ]
        for name in names:
            gain = results.gain(name, *cell)
            row += [DASH, DASH] if arm.name == plan.baseline else [signed(gain), p_value(gain)]
        rows.append([*row, paper(arm, plan.headline, True)])
    return table(head, rows)


def steps_table(results: Results) -> Optional[str]:
    """Every full arm at the headline share against the one before it; None for fewer than two pre-trained ones."""
    plan = results.plan
    arms = [arm for arm in plan.arms if not arm.side and arm.name != plan.baseline]
    if len(arms) < 2:
        return None
    rows = []
    for before, arm in zip(arms, arms[1:]):
        gain = results.gain('mAP', 'finetune', arm.name, plan.headline, over=before.name)
        theirs, known = paper_ap(arm), paper_ap(before)
        rows.append(
            [
                f'{before.title} → {arm.title}',
                str(gain.count),
                signed(gain),
                p_value(gain),
                DASH if theirs is None or known is None else f'{theirs - known:+.2f}',
            ]
        )
    return table(['step', 'seeds', 'mAP (95 % CI)', 'p', f'the paper: mAP, {PAPER_SHARE} %'], rows)


def loaded(results: Results, arm: Arm) -> str:
    """Share of the encoders' numbers that came from pre-training."""
    found = [r for r in results.records.values() if r['kind'] != 'pretrain' and r['arm'] == arm.name]
    if not found:
        return DASH
    return f'{found[0]["transfer"]["share"]:.1%}' if found[0].get('transfer') else 'none'


def shares_table(results: Results) -> str:
    """Baseline against the other arms that were run at every share, and side arms at the share of theirs."""
    plan = results.plan
    rows = []
    theirs = any(paper(plan.arm(name), interval, False) != DASH for name in plan.other_arms for interval in plan.shares)
    for interval in plan.shares:
        length = f', {plan.epochs_at(interval)} epochs' if plan.other_epochs else ''
        aside = [arm for arm in plan.arms if arm.share == interval != plan.headline]
        for arm in [*map(plan.arm, plan.other_arms), *aside]:
            cell = ('finetune', arm.name, interval)
            gain = results.gain('mAP', *cell)
            over = [DASH, DASH] if arm.name == plan.baseline else [signed(gain), p_value(gain)]
            rows.append(
                [
                    f'{share_title(interval)} ({_frames(results, interval)} frames{length})',
                    arm.title,
                    count(len(results.cell(*cell)), results.planned(*cell)),
                    *[pm(results.spread(m, *cell)) for m in results.metric_names()],
                    *over,
                    *([paper(arm, interval, False)] if theirs else []),
                ]
            )
    return table(
        [
            'labels',
            'start of the detector',
            'seeds',
            *results.metric_names(),
            *over_baseline(plan, 'mAP'),
            *(['the paper: nuScenes (nearest share), full size, mAP / NDS'] if theirs else []),
        ],
        rows,
    )


def _frames(results: Results, interval: int) -> str:
    numbers = sorted({r['labels']['frames'] for r in results.records.values() if r['interval'] == interval})
    return DASH if not numbers else '–'.join(map(str, sorted({numbers[0], numbers[-1]})))


def probe_table(results: Results) -> Optional[str]:
    """The head alone on frozen encoders; None if the plan has no probe."""
    plan = results.plan
    if plan.probe is None:
        return None
    rows = []
    for interval in plan.probe.shares or (plan.headline,):
        for arm in plan.arms:
            cell = ('probe', arm.name, interval)
            if not results.planned(*cell):
                continue
            gain = results.gain('mAP', *cell)
            over = [DASH, DASH] if arm.name == plan.baseline else [signed(gain), p_value(gain)]
            rows.append(
                [
                    share_title(interval),
                    arm.title,
                    count(len(results.cell(*cell)), results.planned(*cell)),
                    *[pm(results.spread(m, *cell)) for m in results.metric_names()],
                    *over,
                ]
            )
    return table(
        [
            'labels',
            'frozen encoders',
            'seeds',
            *results.metric_names(),
            *over_baseline(plan, 'mAP'),
        ],
        rows,
    )


def schedule_table(results: Results) -> Optional[str]:
    """Some arms at the headline share with several lengths, over the study's seeds; None if the plan has no study."""
    plan = results.plan
    if not plan.schedule:
        return None
    several = len(results.arms_of_length(plan.finetune.epochs)) > 1
    rows = []
    for epochs in results.lengths():
        main = epochs == plan.finetune.epochs
        for name in results.arms_of_length(epochs):
            cell = ('schedule', name, plan.headline, epochs)
            seeds = len(results.seeds_studied(name)) if main else results.planned(*cell)
            found, (longer, gain) = results.cell(*cell), results.of_length(name, epochs)
            row = [
                f'{epochs}{" (all arms)" if main else ""}',
                next((str(record['iterations']) for record in found.values()), DASH),
                plan.arm(name).title,
                count(len(found), seeds),
                *[pm(results.spread(m, *cell)) for m in results.metric_names()],
                *([DASH, DASH] if main else [signed(longer), p_value(longer)]),
            ]
            if several:
                row += [DASH, DASH] if name == plan.baseline else [signed(gain), p_value(gain)]
            rows.append(row)
    head = ['epochs', 'iterations', 'start of the detector', 'seeds', *results.metric_names()]
    head += [f'mAP over {plan.finetune.epochs} epochs, same seeds (95 % CI)', 'p']
    if several:
        head += [f'mAP over {plan.arm(plan.baseline).title}, same length (95 % CI)', 'p']
    return table(head, rows)


def class_table(results: Results) -> str:
    """AP of every class at the headline share, with the labelled boxes of all seeds' subsets."""
    plan = results.plan
    arms = plan.headline_arms()
    cells = {arm.name: ('finetune', arm.name, plan.headline) for arm in arms}
    records = [record for cell in cells.values() for record in results.cell(*cell).values()]
    classes = list(records[0]['labels']['boxes']) if records else []
    rows = []
    for name in classes:
        boxes = sorted(record['labels']['boxes'][name] for record in records)
        told = str(boxes[0]) if boxes[0] == boxes[-1] else f'{boxes[0]}–{boxes[-1]}'
        rows.append(
            [
                name,
                told + (' (absent from some)' if not boxes[0] else ''),
                *[pm(results.spread(f'AP/{name}', *cell), 1) for cell in cells.values()],
            ]
        )
    for name in ('mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE'):
        if any(name in record['metrics'] for record in records):
            rows.append([f'{name} (error)', '', *[pm(results.spread(name, *cell), 3) for cell in cells.values()]])
    return table(['class (AP)', 'labelled boxes', *[arm.title for arm in arms]], rows)


#: Figures of held-back rays: of all of them and of those on objects.
_RANGES = (
    ('range_median_m', 'median, all'),
    ('range_mae_m', 'mean, all'),
    ('range_median_m_objects', 'median, objects'),
    ('range_mae_m_objects', 'mean, objects'),
)


def pretrain_table(results: Results) -> Optional[str]:
    """What the pre-trainings themselves reached; None without any."""
    rows: List[List[str]] = []
    for name, title, cell in _pretrain_cells(results):
        records = list(cell.values())
        notable = [
            f'{title}: {row["value"]}'
            for record in records
            for title, row in record['health'].items()
            if row['level'] == 'bad'
        ]
        measured = any(row['level'] != 'not measured' for record in records for row in record['health'].values())
        figures = {
            key: {seed: value for seed, value in results.range_values(name, key).items() if seed in cell}
            for key in (*dict(_RANGES), 'range_within_1m', 'rgb_ratio')
        }
        rows.append(
            [
                title,
                str(records[0]['epochs']),
                str(records[0]['iterations']),
                count(len(cell), results.plan.pretrain[name].seeds) if title == name else '1',
                f'{spread({s: r["seconds"] / 60 for s, r in cell.items()}).mean:.0f}',
                *[pm(spread(figures[key]), 3) for key, _ in _RANGES],
                pm(spread({seed: 100 * value for seed, value in figures['range_within_1m'].items()}), 1),
                pm(spread(figures['rgb_ratio'])),
                '; '.join(dict.fromkeys(notable)) or ('none' if measured else 'not measured'),
            ]
        )
    if not rows:
        return None
    return table(
        [
            'pre-training',
            'epochs',
            'iterations',
            'seeds',
            'minutes',
            *[f'{title} (m)' for _, title in _RANGES],
            'within 1 m (%)',
            "colour error / mean colour's",
            'health figures that are bad',
        ],
        rows,
    )


def _pretrain_cells(results: Results) -> Iterator[Tuple[str, str, Dict[int, Record]]]:
    """Name, title and records of every row: a pre-training's seeds together, unless arms start from several of them."""
    for name in results.plan.pretrain:
        cell = results.pretrained(name)
        if len({arm.pretrain_seed for arm in results.plan.arms if name in dict(arm.weights)}) > 1:
            for seed, record in sorted(cell.items()):
                yield name, f'{name}, seed {seed}', {seed: record}
        elif cell:
            yield name, name, cell


def range_table(results: Results) -> Optional[str]:
    """Range errors relative to those of ``range_baseline``, seed by seed; None if the plan has none."""
    base = results.plan.range_baseline
    if base is None or not results.pretrained(base):
        return None
    rows = []
    for name in results.plan.pretrain:
        pairs = set(results.pretrained(name)) & set(results.pretrained(base))
        if name == base or not pairs:
            continue
        row = [name, str(len(pairs))]
        for key, _ in _RANGES:
            mine, theirs = results.range_values(name, key), results.range_values(base, key)
            ratios = {seed: mine[seed] / theirs[seed] for seed in mine if seed in theirs}  # no objects, no figure
            change = paired({seed: 100 * (ratio - 1) for seed, ratio in ratios.items()}, dict.fromkeys(ratios, 0.0))
            row += [signed(change), p_value(change)]
        rows.append(row)
    head = ['pre-training', 'seeds']
    for _, title in _RANGES:
        head += [f'{title} (%, 95 % CI)', 'p']
    return table(head, rows) if rows else None
