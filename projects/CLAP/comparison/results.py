"""The records of a comparison, checked to belong together, sorted into the cells of the plan, and tested."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from scipy import stats

from .plan import Cell, Plan, PlanError, all_jobs, share_name
from .records import Record


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds, standard deviation (n - 1), 95 % interval of the mean and two-sided p of the t-test against 0.

    ``mean`` is None without a seed, the others for fewer than two. ``p`` is also None where every value is the same,
    for then there is no spread to test against.
    """

    count: int
    mean: Optional[float] = None
    std: Optional[float] = None
    low: Optional[float] = None
    high: Optional[float] = None
    p: Optional[float] = None


def estimate(values: Dict[int, float]) -> Estimate:
    """Of the values of all seeds."""
    numbers = np.array(list(values.values()), dtype=np.float64)
    if len(numbers) < 2:
        return Estimate(len(numbers), *map(float, numbers))
    mean, std = float(numbers.mean()), float(numbers.std(ddof=1))
    if np.ptp(numbers) < 1e-9:  # the same but for rounding
        return Estimate(len(numbers), mean, std, mean, mean)
    test = stats.ttest_1samp(numbers, 0.0)
    interval = test.confidence_interval(0.95)
    return Estimate(len(numbers), mean, std, float(interval.low), float(interval.high), float(test.pvalue))


def paired(values: Dict[int, float], baseline: Dict[int, float]) -> Estimate:
    """``values - baseline`` by seed, over the seeds that both have: the paired t-test."""
    return estimate({seed: value - baseline[seed] for seed, value in values.items() if seed in baseline})


class Results:
    """Finished jobs of a plan.

    Args:
        plan: the plan; ``records`` holds what it asks for, in its order.
        found: records by name of the job; names that the plan lacks are ``foreign``, and in no table.

    Raises:
        PlanError: records of one table were made under different conditions.
    """

    def __init__(self, plan: Plan, found: Dict[str, Record]) -> None:
        jobs = [job.name for job in all_jobs(plan)]
        self.plan, self.foreign = plan, sorted(set(found) - set(jobs))
        self.records = {name: found[name] for name in jobs if name in found}
        self._check()

    def _check(self) -> None:
        for job in all_jobs(self.plan):
            asked = dict(epochs=job.epochs, options=list(self.plan.options(job.kind, job.arm)))
            made = {key: self.records.get(job.name, asked)[key] for key in asked}
            if made != asked:
                raise PlanError(
                    f'the record of {job.name} is of {made}, the plan asks for {asked}; undo the change, or give the '
                    'changed plan a --work-dir of its own'
                )
        data = self.plan.data_of
        _same('data', [r for r in self.records.values() if r['kind'] != 'pretrain'], lambda r: data(r, 'train', 'val'))
        _same('data of pre-training', self._select(kind='pretrain'), lambda r: data(r, 'train'))
        for name in self.plan.pretrain:
            _same(f'configuration of {name}', self._select(kind='pretrain', arm=name), lambda r: r['common'])
        for kind, what in (('finetune', 'fine-tuning'), ('probe', 'the probe')):
            same = self._select(kind=kind)
            _same(f'configuration of {what}', same, lambda r: r['common'])
            _same(f'iterations of an epoch of {what}', same, lambda r: r['iterations'] / r['epochs'])
        for arm, cell in product(self.plan.arms, self.plan.cells):
            where = f'{arm.name}, {share_name(cell.share)}'
            found = [] if arm.same_seed else list(self.cell(arm.name, cell).values())
            _same(f'pre-trained weights ({where})', found, lambda r: r['weights'])

    def _select(self, **asked: Any) -> List[Record]:
        return [r for r in self.records.values() if all(r[key] == value for key, value in asked.items())]

    def cell(self, arm: str, cell: Cell) -> Dict[int, Record]:
        """Records of an arm in a cell, by seed."""
        found = self._select(kind=cell.kind, arm=arm, interval=cell.share, epochs=cell.epochs)
        return {record['seed']: record for record in found}

    def pretrained(self, name: str) -> Dict[int, Record]:
        """Records of a pre-training by seed."""
        return {record['seed']: record for record in self._select(kind='pretrain', arm=name)}

    def values(self, metric: str, arm: str, cell: Cell) -> Dict[int, float]:
        """A figure of an arm in a cell by seed, in points (percent)."""
        return {seed: 100.0 * value for seed, value in by_seed(self.cell(arm, cell), metric).items()}

    def spread(self, metric: str, arm: str, cell: Cell) -> Estimate:
        """Mean and deviation of a figure."""
        return estimate(self.values(metric, arm, cell))

    def gain(self, metric: str, arm: str, cell: Cell) -> Estimate:
        """Of an arm over the one it is set against, over the seeds that both have."""
        return paired(self.values(metric, arm, cell), self.values(metric, self.plan.rival(arm), cell))

    def metric_names(self) -> Tuple[str, ...]:
        """The plan's figure and, where the evaluation has it, NDS."""
        own = self.plan.metric
        return (own, 'NDS') if any('NDS' in record['metrics'] for record in self.records.values()) else (own,)

    def frames(self, share: int) -> str:
        """``8 of 512``: labelled frames at a share."""
        found = [record['labels'] for record in self._select(interval=share)]
        numbers = sorted({labels['frames'] for labels in found})
        return f'{"–".join(map(str, dict.fromkeys([numbers[0], numbers[-1]])))} of {found[0]["of"]}' if found else '–'


def by_seed(records: Dict[int, Record], metric: str) -> Dict[int, float]:
    """A figure of some records; those that lack it are left out."""
    found = {seed: record['metrics'].get(metric) for seed, record in records.items()}
    return {seed: value for seed, value in found.items() if value is not None}


def _same(what: str, records: List[Record], key: Callable[[Record], Any]) -> None:
    groups: Dict[str, List[str]] = {}
    for record in records:
        groups.setdefault(str(key(record)), []).append(record['job'])
    if len(groups) > 1:
        told = '; '.join(f'{value}: {", ".join(names[:3])} ({len(names)})' for value, names in groups.items())
        raise PlanError(
            f'the records cannot be put in one table, they differ in {what}: {told}. Remove those of '
            'one group from records/ and run their jobs again, or give every group a --work-dir'
        )


def figures(results: Results) -> Dict[str, Any]:
    """Means, deviations and tests of all cells, for programs; keys are the jobs' names without their seeds."""
    plan, cells = results.plan, {}
    for name, record in results.records.items():
        if record['kind'] == 'pretrain' or name.rsplit('-', 1)[0] in cells:
            continue
        arm, cell = record['arm'], Cell(record['interval'], record['epochs'], record['kind'] == 'probe')
        found: Dict[str, Any] = dict(seeds=len(results.cell(arm, cell)))
        for metric in results.metric_names():
            one = results.spread(metric, arm, cell)
            found[metric] = dict(count=one.count, mean=one.mean, std=one.std)
            if arm != plan.rival(arm):
                found[metric]['gain'] = vars(results.gain(metric, arm, cell))
        cells[name.rsplit('-', 1)[0]] = found
    return dict(plan=plan.name, records=len(results.records), cells=cells)
