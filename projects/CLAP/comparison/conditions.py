"""Under which conditions the runs of a comparison were made: hardware, code, seeds, configurations, options, data."""

from __future__ import annotations

from typing import Any, Dict, List

from .plan import Plan, share_title
from .results import Results


def conditions(results: Results) -> str:
    """Hardware, code, configurations, seeds, data; generated like everything else."""
    plan, records = results.plan, list(results.records.values())

    def different(values: List[str]) -> str:
        return ', '.join(dict.fromkeys(values))

    commits = different(
        [
            (code['commit'] or 'unknown')[:8] + (' with changes' if code['modified'] else '')
            for record in records
            for code in record['code']
        ]
    )
    machines = different([_machine(**record['hardware']) for record in records])
    versions = different([f'torch {record["versions"]["torch"]}' for record in records])
    configs = different([f'`{record["config"]}`' for record in records])
    files: Dict[str, List[str]] = {}  # those that differ in rounding alone stand together
    for name in dict.fromkeys(value for record in records for value in record['data'].values()):
        files.setdefault(plan.data_name(name), []).append(name)
    data = ', '.join(' = '.join([names[0], *(name.split()[-1] for name in names[1:])]) for names in files.values())
    same = '; =: the plan takes them for the same' if ' = ' in data else ''
    hours = sum(record['seconds'] for record in records) / 3600
    text = f'{len(records)} runs, {hours:.1f} hours of one core each; {machines}; {versions}; commits {commits}. '
    if plan.headline_seeds:
        text += (
            f'Fine-tuning: {_lengths_told(plan, records)}, the same for every arm. Seeds asked '
            f'for at {share_title(plan.headline)}: {_headline_seeds_told(plan)}'
            + (f'; at other shares: {_other_seeds_told(plan)}. ' if plan.other_seeds else '. ')
        )
    text += (
        'A seed chooses the labelled frames (every n-th, another first one; not where all are labelled), the '
        'initialisation of whatever has no pre-trained weights, the order and the augmentation, the same for every '
        'arm. '
    )
    if plan.probe is not None:
        text += (
            f'The probe takes {plan.probe.epochs} epochs, seeds {_seeds_told(plan, plan.probe.seeds)}, and estimates '
            'the batch-norm statistics of its frozen encoders anew, for every arm alike. '
        )
    if plan.pretrain:
        text += 'All seeds of a row start from one pre-training: neither the spread nor p covers another one. '
        text += _repeated(results)
    text += f'Configurations: {configs}. Info files (SHA-256{same}): {data}.'
    for arm in plan.arms:
        left = [name for name in _encoders_without(results, arm.name)]
        if left:
            text += f' {arm.title}: {", ".join(left)} keep their random initialisation.'
    if results.foreign:
        text += f' Not in the tables, because the plan does not ask for them: {", ".join(results.foreign)}.'
    return text


def _repeated(results: Results) -> str:
    """Arms whose rows start from several runs of one pre-training, and which rows from which weights."""
    text = ''
    for arm in results.plan.arms:
        rows: Dict[str, List[str]] = {}
        for record in results.records.values():
            if record['kind'] != 'pretrain' and record['arm'] == arm.name:
                rows.setdefault(str(record['weights']), []).append(
                    f'{record["kind"]} {share_title(record["interval"])}'
                )
        if len(rows) > 1:
            told = '; '.join(f'{digest[:8]}: {", ".join(dict.fromkeys(names))}' for digest, names in rows.items())
            text += (
                f'{arm.title} was pre-trained {len(rows)} times with the same seed (weights, and the rows from them: '
                f'{told}). '
            )
    return text


def _machine(processor: str, cores: int, gpus: List[str], **unused: Any) -> str:
    return f'{processor} ({", ".join([f"{cores} cores", *gpus])})'


def options(results: Results) -> str:
    """What the runs override of their configurations, a list with one entry for all that share it."""
    told: Dict[str, List[str]] = {}
    for record in results.records.values():
        if record['options']:
            kind, arm = record['kind'], record['arm']
            stage = {'pretrain': 'pre-training', 'probe': 'probe'}.get(kind, 'fine-tuning')
            title = f'{stage} {arm}' if kind == 'pretrain' else f'{stage}, {results.plan.arm(arm).title}'
            told.setdefault(' '.join(f'`{option}`' for option in record['options']), []).append(title)
    return '\n'.join(f'- {"; ".join(dict.fromkeys(titles))}: {shared}' for shared, titles in told.items())


def _lengths_told(plan: Plan, records: List[Dict[str, Any]]) -> str:
    """``3 epochs (1536 iterations), at 100 % 6 epochs (3072 iterations)``."""
    lengths = {plan.headline: plan.finetune.epochs, **plan.other_epochs}
    told = []
    for interval, epochs in lengths.items():
        runs = {r['iterations'] for r in records if r['kind'] == 'finetune' and r['epochs'] == epochs}
        iterations = f' ({" / ".join(map(str, sorted(runs)))} iterations)' if runs else ''
        where = '' if interval == plan.headline else f'at {share_title(interval)} '
        told.append(f'{where}{epochs} epochs{iterations}')
    return ', '.join(told)


def _headline_seeds_told(plan: Plan) -> str:
    titles: Dict[int, List[str]] = {}
    for arm in plan.headline_arms():
        titles.setdefault(plan.seeds_of(arm), []).append(arm.title)
    if len(titles) == 1:
        return _seeds_told(plan, *titles)
    return '; '.join(f'{_seeds_told(plan, number)} for {" / ".join(named)}' for number, named in titles.items())


def _other_seeds_told(plan: Plan) -> str:
    """``7 to 9, at 0.7812 % 7 to 14``."""
    own = [f'at {share_title(interval)} {_seeds_told(plan, number)}' for interval, number in plan.seeds_at.items()]
    return ', '.join([_seeds_told(plan, plan.other_seeds), *own])


def _seeds_told(plan: Plan, number: int) -> str:
    first, *others = plan.seeds(number)
    return f'{first} to {others[-1]}' if others else str(first)


def _encoders_without(results: Results, arm: str) -> List[str]:
    found = next((r for r in results.records.values() if r['arm'] == arm and r.get('transfer')), None)
    return [name for name, share in found['transfer']['modules'].items() if share < 0.5] if found else []
