"""From records to what a reader sees: tables, plot, and the block of a README."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Dict, List, Optional

from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.files.project import ROOT

from . import tables
from .conditions import conditions, options
from .jobs import all_jobs
from .plan import Aim, Arm, Plan, PlanError, share_title
from .records import read_record
from .results import Results
from .statistics import Difference

_PLOT, _PAGE = 'label_efficiency.svg', 'tables.md'
#: The headline share is meant to leave the baseline about half of what it has with all labels.
_HALF = (0.4, 0.6)


def summarize(plan: Plan, folder: Path, target: Path) -> Dict[str, Any]:
    """Write ``tables.md``, the plot and copies of the records into ``target``, and the plan's README block.

    The README is left alone when ``target`` lies outside the repository: it could not link to it.

    Args:
        plan: the plan.
        folder: holds ``records``.
        target: where the results go.

    Returns:
        figures for programs, see :func:`figures`.

    Raises:
        PlanError: there is nothing to sum up, records do not belong together, or the README has no such block.
    """
    results = Results.read(plan, folder / 'records')
    wanted = ('finetune',) if plan.headline_seeds else ('pretrain', 'probe')
    if not any(record['kind'] in wanted for record in results.records.values()):
        print(f'no record of a {" or ".join(wanted)} job in {folder / "records"} yet: no tables')
        return figures(results)
    known = {path.stem for path in (target / 'records').glob('*.json')} & {job.name for job in all_jobs(plan)}
    lost = sorted(known - set(results.records))
    if lost:
        print(
            f'{target} has {len(known)} records of this plan, {len(lost)} of which {folder / "records"} has not ('
            f'{", ".join(lost[:3])}{" ..." if len(lost) > 3 else ""}): it is left as it is. Copy them into '
            f'{folder / "records"}, give --results DIR, or remove them'
        )
        return figures(results)
    target.mkdir(parents=True, exist_ok=True)
    if plan.headline_seeds:
        from .plot import label_share_plot

        label_share_plot(results, target / _PLOT)
    write_atomic(target / _PAGE, (page(results) + '\n').encode())
    _copy_records(results, folder / 'records', target / 'records')
    if plan.readme is not None and ROOT in target.resolve().parents:
        readme = ROOT / plan.readme
        replace_block(readme, f'label-efficiency:{plan.name}', block(results, os.path.relpath(target, readme.parent)))
        print(f'{plan.readme}: block label-efficiency:{plan.name} written')
    files = f'{_PAGE}, {_PLOT}' if plan.headline_seeds else _PAGE
    print(f'{target}: {files}, {len(results.records)} records')
    return figures(results)


def _copy_records(results: Results, source: Path, target: Path) -> None:
    if source.resolve() == target.resolve():
        return
    target.mkdir(exist_ok=True)
    for path in target.glob('*.json'):  # of jobs that are no longer in the tables
        if read_record(path)['job'] not in results.records:
            path.unlink()
    for name in results.records:
        shutil.copyfile(source / f'{name}.json', target / f'{name}.json')


def replace_block(path: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- name begin -->`` and ``<!-- name end -->``.

    Raises:
        PlanError: the file has not exactly one such block.
    """
    content = path.read_text() if path.is_file() else ''
    begin, end = f'<!-- {name} begin -->', f'<!-- {name} end -->'
    if content.count(begin) != 1 or content.count(end) != 1 or content.index(begin) > content.index(end):
        raise PlanError(
            f'{path}: expected exactly one pair of lines {begin} and {end}; add them where the results '
            'belong, or set readme = None in the plan'
        )
    before, rest = content.split(begin)
    after = rest.split(end)[1]
    write_atomic(path, f'{before}{begin}\n{text.strip()}\n{end}{after}'.encode())


# ---------------------------------------------------------------- texts


def block(results: Results, link: str) -> str:
    """The README's part: verdict, tables, plot, conditions."""
    plan = results.plan
    parts = [f'### {plan.title}', verdict(results), *_main_tables(results)]
    if plan.headline_seeds:
        parts.append(f'![{plan.title}: share of the labels against mAP]({link}/{_PLOT})')
        more = f'Per class, the pre-trainings themselves, and all options: [{_PAGE}]({link}/{_PAGE}). Every run: '
    else:
        parts += _pretrain_tables(results)
        more = f'All options: [{_PAGE}]({link}/{_PAGE}). Every run: '
    parts += [plan.note, conditions(results), f'{more}[records]({link}/records).']
    return '\n\n'.join(part for part in parts if part)


def page(results: Results) -> str:
    """Everything."""
    plan = results.plan
    parts = [
        f'# {"Label efficiency: " if plan.headline_seeds else ""}{plan.title}',
        'Generated by `tools/analysis_tools/label_efficiency.py` from [records](records); do not edit.',
        verdict(results),
        *_main_tables(results),
    ]
    if plan.headline_seeds:
        parts += [
            f'![Share of the labels against mAP]({_PLOT})',
            f'**Per class**, {share_title(plan.headline)} of the labels, all arms:',
            tables.class_table(results),
        ]
    parts += [*_pretrain_tables(results), plan.note, conditions(results)]
    overridden = options(results)
    if overridden:
        parts += ['**Overrides** of the configurations named above', overridden]
    return '\n\n'.join(part for part in parts if part)


def _pretrain_tables(results: Results) -> List[str]:
    own, relative = tables.pretrain_table(results), tables.range_table(results)
    parts = []
    if own:
        parts += ['**The pre-trainings**: range error of held-back rays of the evaluation frames', own]
    if relative:
        parts += [f'**Range error against {results.plan.range_baseline}**, by seed; below 0 is better', relative]
    return parts


def _main_tables(results: Results) -> List[str]:
    plan = results.plan
    title = share_title(plan.headline)
    parts = []
    if plan.headline_seeds:
        parts += [
            f'**Every arm at {title} of the labels** (points; mean ± standard deviation over seeds, paired t-test over '
            'those that the baseline has too; a seed is one of fine-tuning, all of a row from one pre-training)',
            tables.headline_table(results),
        ]
        steps = tables.steps_table(results)
        if steps:
            parts += ['**From arm to arm**, the same seeds', steps]
    if plan.headline_seeds and plan.other_seeds:
        parts += ['**Other shares of the labels**', tables.shares_table(results)]
    probe, schedule = tables.probe_table(results), tables.schedule_table(results)
    if probe:
        parts += ['**Probe**: encoders frozen, the head alone is trained', probe]
    if schedule:
        parts += [f'**Length of fine-tuning**, {title} of the labels', schedule]
    return parts


def verdict(results: Results) -> str:
    """What the headline says, a list of sentences made of the figures."""
    plan, lines = results.plan, []
    title, headline = plan.arm(plan.baseline).title, share_title(plan.headline)
    few = results.values('mAP', 'finetune', plan.baseline, plan.headline)
    full = results.values('mAP', 'finetune', plan.baseline, plan.shares[0])
    seeds = sorted(set(few) & set(full))
    if seeds and plan.shares[0] != plan.headline and sum(full[seed] for seed in seeds):
        share = sum(few[seed] for seed in seeds) / sum(full[seed] for seed in seeds)
        half = '' if _HALF[0] <= share <= _HALF[1] else ', which is not about half'
        lines.append(
            f'At {headline} of the labels {title} reaches {share:.0%} of its mAP with {share_title(plan.shares[0])}'
            f'{half} ({len(seeds)} seed{"s" if len(seeds) > 1 else ""}).'
        )
    if plan.aim is not None:
        arm, baseline = plan.arm(plan.aim.arm), plan.arm(plan.baseline)
        lines += [_aim(results, plan.aim), *_lengths(results, arm.name)]
        others = [interval for interval in plan.shares if interval != plan.headline]
        lines += [_gain(results, arm, baseline, interval) for interval in others]
    lines += _aside(results)
    lines.append(_order(results))
    return '\n'.join(f'- {line}' for line in lines if line)


def _aim(results: Results, aim: Aim) -> str:
    """Whether the aim is met; open until every seed is there."""
    plan = results.plan
    gain = results.gain('mAP', 'finetune', aim.arm, plan.headline)
    if gain.mean is None:
        return ''
    planned = results.planned('finetune', aim.arm, plan.headline)
    met = gain.p is not None and gain.mean >= aim.points and gain.p < aim.p
    state = ('met' if met else 'not met') if gain.count == planned else 'not decided before all seeds are there'
    told = _told(gain, plan.arm(aim.arm), plan.arm(plan.baseline), planned)
    return f'{told}; the aim (at least +{aim.points:g} with p < {aim.p:g}) is {state}.'


def _lengths(results: Results, name: str) -> List[str]:
    """What another length of fine-tuning gives the baseline and an arm, and what is between them then."""
    plan, lines = results.plan, []
    arm, baseline = plan.arm(name), plan.arm(plan.baseline)
    for length in plan.schedule:
        (own, gain), (base, _) = (results.of_length(each.name, length.epochs) for each in (arm, baseline))
        if base.mean is None:
            continue
        told = [f'{baseline.title} {tables.signed(base)} mAP points ({_tested(base)}, seeds: {base.count})']
        if own.mean is not None:
            told.append(f'{arm.title} {tables.signed(own)} ({_tested(own)}, seeds: {own.count})')
        if gain.mean is not None:
            told.append(f'then between them {tables.signed(gain)} ({_tested(gain)}, seeds: {gain.count})')
        lines.append(
            f'With {length.epochs} epochs of fine-tuning instead of {plan.finetune.epochs}: {"; ".join(told)}.'
        )
    return lines


def _aside(results: Results) -> List[str]:
    """The gain of side arms: another pre-training, or other options.

    With other options it is the one over a baseline that has them too, where there is one.
    """
    plan = results.plan
    baseline = plan.arm(plan.baseline)
    side = [arm for arm in plan.arms if arm.side]
    baselines = [arm for arm in side if arm.weights == baseline.weights]

    def rival(arm: Arm) -> Arm:
        return next((other for other in baselines if other.options == arm.options), baseline)

    return [_gain(results, arm, rival(arm), plan.share_of(arm)) for arm in side if arm not in baselines]


def _gain(results: Results, arm: Arm, base: Arm, interval: int) -> str:
    """The gain of one arm over another at a share; nothing without runs of both."""
    gain = results.gain('mAP', 'finetune', arm.name, interval, over=base.name)
    if gain.mean is None:
        return ''
    where = '' if interval == results.plan.headline else f' at {share_title(interval)} of the labels'
    return f'{_told(gain, arm, base, results.planned("finetune", arm.name, interval), where)}.'


def _told(gain: Difference, arm: Arm, base: Arm, planned: int, where: str = '') -> str:
    """A gain in words, without a full stop."""
    seeds = tables.count(gain.count, planned)
    return f'{arm.title} against {base.title}{where}: {tables.signed(gain)} mAP points, {_tested(gain)}, {seeds} seeds'


def _tested(gain: Difference) -> str:
    return tables.p_value(gain) if gain.p is None else f'p {tables.p_value(gain)}'


def _order(results: Results) -> str:
    """The order of the means over the seeds that all arms have, once every arm has all its seeds."""
    plan = results.plan
    known = {arm.name: tables.paper_ap(arm) for arm in plan.arms}
    theirs = {name: ap for name, ap in known.items() if ap is not None}
    values = {name: results.values('mAP', 'finetune', name, plan.headline) for name in theirs}
    if len(theirs) < 2 or any(
        len(found) < results.planned('finetune', name, plan.headline) for name, found in values.items()
    ):
        return ''
    # Which frames have labels moves mAP more than the arms do.
    common = set.intersection(*map(set, values.values()))
    own = sorted(theirs, key=lambda name: sum(values[name][seed] for seed in common))
    paper = sorted(theirs, key=lambda name: theirs[name])
    return (
        f'Order of the mean mAP at {share_title(plan.headline)} over the {len(common)} seeds that all have: '
        f'{" < ".join(own)}; '
        + ("the paper's at 5 % is the same" if own == paper else f"the paper's at 5 %: {' < '.join(paper)}")
        + ' (which of the steps are more than chance: the second table).'
    )


def figures(results: Results) -> Dict[str, Any]:
    """Means, deviations and tests of all cells, for programs."""
    plan = results.plan

    def cell(kind: str, arm: str, interval: int) -> Optional[Dict[str, Any]]:
        found: Dict[str, Any] = dict(seeds=len(results.cell(kind, arm, interval)))
        for name in results.metric_names():
            value, gain = results.spread(name, kind, arm, interval), results.gain(name, kind, arm, interval)
            found[name] = dict(mean=value.mean, std=value.std)
            if arm != plan.baseline:
                found[name]['gain'] = vars(gain)
        return found if found['seeds'] else None

    cells = {
        f'{kind}-{arm.name}-{share_title(interval)}': cell(kind, arm.name, interval)
        for kind in ('finetune', 'probe')
        for arm in plan.arms
        for interval in plan.shares
    }
    return dict(plan=plan.name, records=len(results.records), cells={k: v for k, v in cells.items() if v})
