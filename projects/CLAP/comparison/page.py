"""The page of a comparison: a verdict, one table per question, and how it was made."""

from __future__ import annotations

import math
from statistics import median
from typing import Dict, List, Sequence, Tuple

import numpy as np

from projects.CLAP.clap.files.text_table import text_table

from .plan import Cell
from .plot import PLOT
from .records import PUBLISHED, Record
from .results import Estimate, Results, by_seed, estimate

PAGE = 'README.md'
_DASH = '–'
#: What a table may have before its rows are told in words.
_COLUMNS = 12
_HEALTH = 'bad health figures'
Row = Dict[str, str]  # title of the column -> cell
#: Figures of held-back rays: of all of them and of those on objects.
_RANGES = (
    ('range_median_m', 'median, all'),
    ('range_mae_m', 'mean, all'),
    ('range_median_m_objects', 'median, objects'),
    ('range_mae_m_objects', 'mean, objects'),
)


def page(results: Results) -> str:
    """Markdown."""
    plan, head = results.plan, results.plan.headline
    parts = [f'# {plan.title}', *verdict(results), *_told_by_probe(results)]
    if head is not None:
        parts += _section(f'Every arm: {_where(results, head)} of fine-tuning', _arms(results, [head]))
        parts += _section('Average precision by class', _classes(results)) if plan.in_full else []
        drawn = f'![Share of the labels, and length of fine-tuning, against {plan.metric_title}]({PLOT})'
        parts += [drawn] if plan.plotted else []
        rest = [cell for cell in plan.cells if not cell.frozen and cell != head]
        parts += _section('Longer and shorter fine-tuning', _arms(results, [c for c in rest if c.share == head.share]))
        parts += _section('Other shares of the labels', _arms(results, [c for c in rest if c.share != head.share]))
    parts += _section('Frozen encoders: the head alone is trained', _arms(results, [c for c in plan.cells if c.frozen]))
    parts += _section(_points_title(results), _points(results))
    parts += _section('The pre-trainings: their own figures on what is held back', _own_figures(results))
    parts += _section('The pre-trainings: range error of held-back rays (m)', _pretrainings(results))
    parts += _section('Share of each loss in the gradient at a map: median (least–most), %', _gradients(results))
    parts += _section('Range error against the baseline (%; below 0 is better)', _range_changes(results))
    return '\n\n'.join(part for part in [*parts, '## How it was made', plan.note, _made(results)] if part) + '\n'


def _section(title: str, rows: List[Row]) -> List[str]:
    table = text_table(list(rows[0]), [list(row.values()) for row in rows], markdown=True) if rows else ''
    return [f'## {title}', table] if rows else []


def _pm(value: Estimate, digits: int = 2) -> str:
    """``12.34 ± 0.56``; one seed has no deviation."""
    if value.mean is None:
        return _DASH
    return f'{value.mean:.{digits}f}' + (f' ± {value.std:.{digits}f}' if value.std is not None else '')


def _figure(value: Estimate) -> str:
    """Three significant digits of the mean, and as many decimals of the deviation."""
    size = abs(value.mean or 0.0)
    return _pm(value, min(6, max(0, 2 - math.floor(math.log10(size)))) if size else 3)


def _signed(value: Estimate) -> str:
    """``+1.23 (0.98 to 1.48)``."""
    if value.mean is None:
        return _DASH
    return f'{value.mean:+.2f}' + (f' ({value.low:+.2f} to {value.high:+.2f})' if value.low is not None else '')


def _p(value: Estimate, name: str = '') -> str:
    """``0.012`` or ``< 0.0001`` (with a name ``p = 0.012``), or why there is none."""
    if value.p is None:
        return {0: _DASH, 1: 'one seed'}.get(value.count, 'no spread')
    return f'{name and f"{name} = "}{value.p:.2g}' if value.p >= 1e-4 else f'{name} < 0.0001'.strip()


def _where(results: Results, cell: Cell) -> str:
    frozen = ', encoders frozen' if cell.frozen else ''
    return f'{results.frames(cell.share)} frames, {cell.epochs} epoch{"s" if cell.epochs > 1 else ""}{frozen}'


def verdict(results: Results) -> List[str]:
    """What came out for the plan's subject: the headline, the other cells, the probe."""
    plan, told, name = results.plan, [], results.plan.metric_title
    if not plan.cells:
        return []
    subject, baseline = plan.arm(plan.subject), plan.arm(plan.rival(plan.subject))
    first, *others = sorted(plan.cells, key=lambda cell: cell != plan.headline)
    for cell in (first, *(cell for cell in others if cell.frozen)):
        gain = results.gain(plan.metric, subject.name, cell)
        if gain.mean is None:
            continue
        own, base = (results.spread(plan.metric, arm.name, cell) for arm in (subject, baseline))
        chance = '' if gain.p is not None and gain.p < 0.05 else ', which is not significant'
        told.append(
            f'**{subject.title}** reaches {own.mean:.2f} {name}, {baseline.title} {base.mean:.2f} '
            f'(labels: {_where(results, cell)}): {gain.mean:+.2f} points, {_p(gain, "p")}, {gain.count} seeds{chance}.'
        )
    gains = {cell: results.gain(plan.metric, subject.name, cell) for cell in others if not cell.frozen}
    more = [f'{_where(results, c)}: {g.mean:+.2f}, {_p(g, "p")}' for c, g in gains.items() if g.mean is not None]
    return [*told[:1], *([f'With other labels and lengths: {"; ".join(more)}.'] if more else []), *told[1:]]


def _arms(results: Results, cells: Sequence[Cell]) -> List[Row]:
    """Every arm of some cells: mean ± standard deviation over seeds, and its paired difference to its rival."""
    plan, rows, headline = results.plan, [], list(cells) == [results.plan.headline]
    baseline = plan.arm(plan.baseline).title
    for cell in cells:
        where = _where(results, cell)
        for arm in [arm for arm in plan.arms if plan.seeds(arm.name, cell)]:
            found, planned, rival = results.cell(arm.name, cell), plan.seeds(arm.name, cell), plan.rival(arm.name)
            gain = results.gain(plan.metric, arm.name, cell)
            over = '' if rival == plan.baseline or gain.mean is None else f' over {plan.arm(rival).title}'
            row = {} if headline else {'labels': where}
            row[plan.start_title] = arm.title + (_loaded(found) if headline and arm.weights else '')
            row['seeds'] = str(len(found)) if len(found) == len(planned) else f'{len(found)} of {len(planned)}'
            for metric in results.metric_names() if headline or plan.in_full else (plan.metric,):
                title = plan.metric_title if metric == plan.metric else metric
                row[title] = _pm(results.spread(metric, arm.name, cell))
            row[f'{plan.metric_title} over {baseline} (95 % CI)'] = _DASH if arm.name == rival else _signed(gain) + over
            row['p'] = _DASH if arm.name == rival else _p(gain)
            if headline and any(arm.paper for arm in plan.arms):
                row['the paper, 5 % of nuScenes: mAP / NDS'] = arm.paper or _DASH
            rows.append(row)
            where = ''
    return rows


def _classes(results: Results) -> List[Row]:
    """Means of every arm of the headline, class by class."""
    cell, rows = results.plan.headline, []
    for arm in results.plan.arms:
        names = {name for record in results.cell(arm.name, cell).values() for name in record['metrics']}
        found = {name: _pm(results.spread(name, arm.name, cell)) for name in sorted(names) if name.startswith('AP/')}
        rows += [{results.plan.start_title: arm.title, **found}] if found else []
    return rows


def _loaded(found: Dict[int, Record]) -> str:
    """How much of the encoders came from pre-training, where it is not all."""
    transfer = next(iter(found.values()), {}).get('transfer')
    return f' ({transfer["share"]:.0%} loaded)' if transfer and transfer['share'] < 0.995 else ''


def _points_title(results: Results) -> str:
    asked = results.plan.points
    if asked is None:
        return ''
    head = 'a linear layer' if asked.layers == 1 else f'{asked.layers} layers'
    frames = f'{asked.labels} labelled frame{"s" if asked.labels > 1 else ""}'
    return f'Probe of points: mIoU of {head} on frozen {asked.features} features, {frames}'


def _probed(results: Results) -> List[Tuple[str, Estimate, Estimate, Dict[str, Estimate]]]:
    """Of every pre-training with a probe of points its name, its mIoU, that over random encoders, and those of what is
    not pre-trained. Means over the draws of labelled frames; the deviation is over these draws for what is not
    pre-trained, else over pre-trainings."""
    told = []
    for name in results.plan.pretrain:
        found = {seed: r['points']['miou'] for seed, r in results.pretrained(name).items() if 'points' in r}
        if not found:
            continue
        first = next(iter(found.values()))
        own = {seed: float(np.mean(miou['checkpoint'])) for seed, miou in found.items()}
        gain = estimate({seed: value - float(np.mean(found[seed]['random'])) for seed, value in own.items()})
        drawn = {start: estimate(dict(enumerate(first[start]))) for start in ('point', 'random')}
        told.append((name, estimate(own), gain, drawn))
    return told


def _points(results: Results) -> List[Row]:
    """See :func:`_probed`."""
    return [
        {
            'pre-training': name,
            'seeds': str(own.count),
            'height and intensity alone': _pm(drawn['point'], 1),
            'random encoders': _pm(drawn['random'], 1),
            'pre-trained': _pm(own, 1),
            'over random encoders (95 % CI)': _signed(gain),
            'p': _p(gain),
        }
        for name, own, gain, drawn in _probed(results)
    ]


def _told_by_probe(results: Results) -> List[str]:
    """One sentence of all pre-trainings that ended with a probe of points."""
    probed = _probed(results)
    base = {_pm(drawn['random'], 1) for _, _, _, drawn in probed}
    told = [f'random encoders {next(iter(base))}'] if len(base) == 1 else []
    for name, own, gain, drawn in probed:
        random = f', random encoders {_pm(drawn["random"], 1)}' if len(base) > 1 else ''
        tested = '' if gain.p is None else f', {_p(gain, "p")}'
        told.append(f'**{name}** {_pm(own, 1)}{random}{tested}')
    return [f'mIoU of a probe of points: {"; ".join(told)}.'] if told else []


def _rendered(records: Dict[int, Record]) -> bool:
    return any('range_median_m' in record['metrics'] for record in records.values())


def _head(name: str, records: Dict[int, Record]) -> Row:
    first = next(iter(records.values()))
    lengths = f'{first["epochs"]} ({first["iterations"]})'
    return {'pre-training': name, 'epochs (iterations)': lengths, 'seeds': str(len(records))}


def _bad(records: Dict[int, Record]) -> str:
    bad = [title for r in records.values() for title, row in r['health'].items() if row['level'] == 'bad']
    return '; '.join(dict.fromkeys(bad)) or 'none'


def _own_figures(results: Results) -> List[Row]:
    """What methods that do not render say of themselves: a column each where they have the same figures."""
    found = {name: results.pretrained(name) for name in results.plan.pretrain}
    found = {name: records for name, records in found.items() if records and not _rendered(records)}
    told = {
        name: {
            key: _figure(estimate(by_seed(records, key))) for record in records.values() for key in record['metrics']
        }
        for name, records in found.items()
    }
    every = max(told.values(), key=len, default={})
    if len(told) > 1 and all(set(one) <= set(every) for one in told.values()):
        heads = {name: _head(name, records) for name, records in found.items()}
        columns = {name: {**heads[name], **one, _HEALTH: _bad(found[name])} for name, one in told.items()}
        keys = [*list(next(iter(heads.values())))[1:], *every, _HEALTH]
        return [{'figure': key, **{name: one.get(key, _DASH) for name, one in columns.items()}} for key in keys]
    return [
        {
            **_head(name, found[name]),
            'figures': '; '.join(f'{key} {value}' for key, value in one.items()),
            _HEALTH: _bad(found[name]),
        }
        for name, one in told.items()
    ]


def _pretrainings(results: Results) -> List[Row]:
    """What the pre-trainings themselves reached."""
    rows = []
    for name, records in ((name, results.pretrained(name)) for name in results.plan.pretrain):
        if _rendered(records):
            within = {seed: 100 * value for seed, value in by_seed(records, 'range_within_1m').items()}
            row = _head(name, records)
            row.update({title: _pm(estimate(by_seed(records, key)), 3) for key, title in _RANGES})
            row['within 1 m (%)'] = _pm(estimate(within), 1)
            row["colour error / mean colour's"] = _pm(estimate(by_seed(records, 'rgb_ratio')))
            row[_HEALTH] = _bad(records)
            rows.append(row)
    return rows


def _short(value: float) -> str:
    """Two digits, without an exponent from one on."""
    return f'{value:.0f}' if value >= 10 else f'{value:.2g}'


def _gradients(results: Results) -> List[Row]:
    """What each loss was worth to the encoders, over the steps of all seeds that were measured."""
    rows: List[Row] = []
    for name in results.plan.pretrain:
        measured = [record.get('gradient_shares', {}) for record in results.pretrained(name).values()]
        found = {
            key: [one[key] for one in measured if key in one] for key in dict.fromkeys(sum(map(list, measured), []))
        }
        own: List[Row] = []
        for place in dict.fromkeys(key.rsplit('_', 1)[1] for key in found):
            row = {'pre-training': name, 'map': place}
            for key, shares in found.items():
                if key.endswith(f'_{place}'):
                    low, middle, high = (100 * f(s[i] for s in shares) for i, f in enumerate((min, median, max)))
                    row[key[len('grad_share_') : -len(place) - 1]] = f'{_short(middle)} ({_short(low)}–{_short(high)})'
            own.append(row)
        rows += own if any(len(row) > 3 for row in own) else []  # a loss alone has all
    terms = dict.fromkeys(sum(map(list, rows), []))
    if len(terms) > _COLUMNS:
        told = [list(row.items()) for row in rows]
        return [{**dict(one[:2]), 'shares': '; '.join(f'{term} {share}' for term, share in one[2:])} for one in told]
    return [{term: row.get(term, _DASH) for term in terms} for row in rows]


def _range_changes(results: Results) -> List[Row]:
    """Range errors relative to those of the baseline's pre-training, seed by seed; none where either has none."""
    plan = results.plan
    names = list(plan.arm(plan.baseline).weights)
    base = results.pretrained(names[0]) if len(names) == 1 else {}
    rows = []
    for name, records in ((name, results.pretrained(name)) for name in plan.pretrain if name not in names):
        row = {'pre-training': name}
        for key, title in _RANGES:
            theirs = by_seed(base, key)
            change = {s: 100 * (mine / theirs[s] - 1) for s, mine in by_seed(records, key).items() if s in theirs}
            tested = estimate(change)
            row[f'{title} (95 % CI)'] = f'{_signed(tested)}, {_p(tested, "p")}' if tested.count else _DASH
        rows += [row] if {*row.values()} - {name, _DASH} else []
    return rows


def _made(results: Results) -> str:
    records = list(results.records.values())
    hours = sum(record['seconds'] for record in records) / 3600
    machines = dict.fromkeys(
        ', '.join([r['hardware']['processor'], *dict.fromkeys(r['hardware']['gpus'])]) for r in records
    )
    gpus = dict.fromkeys(len(r['hardware']['gpus']) for r in records)
    places = ' or '.join(f'{count} GPU{"s" if count > 1 else ""}' if count else 'one core' for count in gpus)
    torch = dict.fromkeys(r['versions']['torch'] for r in records)
    foreign = f' Not asked for by the plan, and in no table: {", ".join(results.foreign)}.' if results.foreign else ''
    own = 'A row starts from one pre-training, so that p does not cover another one.'
    alone = not results.plan.rows and all(len(one.seeds) > 1 for one in results.plan.pretrain.values())
    if alone or any(arm.same_seed for arm in results.plan.arms):
        own = 'Every seed has a pre-training of its own, so that p covers it, too.'
    return (
        f'{len(records)} runs of {places}, {hours:.1f} hours together, on {" and ".join(machines)} with torch '
        f'{", ".join(torch)}. Figures are means ± standard deviations over seeds, p is of the paired t-test. A seed '
        'draws the labelled frames, the initialisation, the order and the augmentation, alike for every arm. '
        f'{own} Every run is a line of '
        f'[{PUBLISHED}]({PUBLISHED}), with its options, configuration, code, data, hardware and all figures.{foreign}'
    )
