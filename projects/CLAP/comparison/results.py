"""The records of a comparison, checked to belong together and sorted into the cells of the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from .jobs import all_jobs, pretrain_name
from .plan import Cell, Plan, PlanError, share_name
from .records import Record
from .statistics import Difference, Spread, paired, spread


@dataclass
class Results:
    """Finished jobs of a plan.

    Attributes:
        plan: the plan.
        records: by name of the job, in the plan's order.
        foreign: names of records that the plan does not ask for; they are in no table.
    """

    plan: Plan
    records: Dict[str, Record]
    foreign: List[str]

    @classmethod
    def of(cls, plan: Plan, found: Dict[str, Record]) -> Results:
        """Records of a plan, by name of their jobs.

        Raises:
            PlanError: records of one table were made under different conditions.
        """
        jobs = [job.name for job in all_jobs(plan)]
        results = cls(plan, {name: found[name] for name in jobs if name in found}, sorted(set(found) - set(jobs)))
        results._check()
        return results

    def _check(self) -> None:
        pretrainings = [r for r in self.records.values() if r['kind'] == 'pretrain']
        detectors = [r for r in self.records.values() if r['kind'] != 'pretrain']
        self._same('data', detectors, lambda r: r['data'])
        self._same('data of pre-training', pretrainings, lambda r: r['data']['train'])
        for name in self.plan.pretrain:
            same = [r for r in pretrainings if r['arm'] == name]
            self._same(f'configuration of pre-training {name}', same, lambda r: (r['common'], r['epochs']))
        for kind, what in (('finetune', 'fine-tuning'), ('probe', 'the probe')):
            same = [r for r in detectors if r['kind'] == kind]
            self._same(f'configuration of {what}', same, lambda r: r['common'])
            self._same(f'iterations of an epoch of {what}', same, lambda r: r['iterations'] / r['epochs'])
        for arm in self.plan.arms:
            for cell in self.plan.cells:
                same, where = list(self.cell(arm.name, cell).values()), f'{arm.name}, {share_name(cell.share)}'
                self._same(f'options ({where})', same, lambda r: r['options'])
                self._same(f'pre-trained weights ({where})', same, lambda r: r['weights'])

    @staticmethod
    def _same(what: str, records: List[Record], key: Callable[[Record], Any]) -> None:
        groups: Dict[str, List[str]] = {}
        for record in records:
            groups.setdefault(str(key(record)), []).append(record['job'])
        if len(groups) > 1:
            told = '; '.join(
                f'{value}: {", ".join(names[:3])}{" ..." if len(names) > 3 else ""} ({len(names)})'
                for value, names in groups.items()
            )
            raise PlanError(
                f'the records cannot be put in one table, they differ in {what}: {told}. Remove those of '
                'one group from records/ and run their jobs again, or give every group a --work-dir'
            )

    # ------------------------------------------------------------ looking up

    def cell(self, arm: str, cell: Cell) -> Dict[int, Record]:
        """Records of an arm in a cell, by seed."""
        return {
            r['seed']: r
            for r in self.records.values()
            if (r['kind'], r['arm'], r['interval'], r['epochs']) == (cell.kind, arm, cell.share, cell.epochs)
        }

    def pretrained(self, name: str) -> Dict[int, Record]:
        """Records of a pre-training by seed."""
        found = {seed: self.records.get(pretrain_name(name, seed)) for seed in self.plan.pretrain[name].seeds}
        return {seed: record for seed, record in found.items() if record is not None}

    def values(self, metric: str, arm: str, cell: Cell) -> Dict[int, float]:
        """A figure of an arm in a cell by seed, in points (percent)."""
        found = {seed: record['metrics'].get(metric) for seed, record in self.cell(arm, cell).items()}
        return {seed: 100.0 * value for seed, value in found.items() if value is not None}

    def spread(self, metric: str, arm: str, cell: Cell) -> Spread:
        """Mean and deviation of a figure."""
        return spread(self.values(metric, arm, cell))

    def gain(self, metric: str, arm: str, cell: Cell, over: Optional[str] = None) -> Difference:
        """Of an arm over the one it is set against (or another), over the seeds that both have."""
        rival = over or self.plan.rival(arm)
        return paired(self.values(metric, arm, cell), self.values(metric, rival, cell))

    def metric_names(self) -> Tuple[str, ...]:
        """mAP and, where the evaluation has it, NDS."""
        return ('mAP', 'NDS') if any('NDS' in record['metrics'] for record in self.records.values()) else ('mAP',)

    def frames(self, share: int) -> str:
        """``8 of 512``: labelled frames at a share."""
        found = [r['labels'] for r in self.records.values() if r['interval'] == share]
        numbers = sorted({labels['frames'] for labels in found})
        return f'{"–".join(map(str, dict.fromkeys([numbers[0], numbers[-1]])))} of {found[0]["of"]}' if found else '–'


def figures(results: Results) -> Dict[str, Any]:
    """Means, deviations and tests of all cells, for programs; keys are the jobs' names without their seeds."""
    plan, cells = results.plan, {}
    for name, record in results.records.items():
        if record['kind'] == 'pretrain' or name.rsplit('-', 1)[0] in cells:
            continue
        arm, cell = record['arm'], Cell(record['interval'], record['epochs'], record['kind'] == 'probe')
        found: Dict[str, Any] = dict(seeds=len(results.cell(arm, cell)))
        for metric in results.metric_names():
            found[metric] = dict(vars(results.spread(metric, arm, cell)))
            if arm != plan.rival(arm):
                found[metric]['gain'] = vars(results.gain(metric, arm, cell))
        cells[name.rsplit('-', 1)[0]] = found
    return dict(plan=plan.name, records=len(results.records), cells=cells)
