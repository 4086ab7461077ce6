"""The records of a comparison, checked to belong together and sorted for the tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from .jobs import all_jobs
from .plan import Plan, PlanError, share_title
from .records import read_record
from .statistics import Difference, Spread, paired, spread

Record = Dict[str, Any]


@dataclass
class Results:
    """Finished jobs of a plan.

    Attributes:
        plan: the plan.
        records: by name of the job, in the plan's order.
        foreign: names of records that the plan does not ask for (any more); they are in no table.
    """

    plan: Plan
    records: Dict[str, Record]
    foreign: List[str]

    @classmethod
    def read(cls, plan: Plan, folder: Path) -> Results:
        """Read ``folder/*.json``.

        Raises:
            PlanError: a record is damaged, or records of one table were made under different conditions.
        """
        found = {}
        for path in sorted(folder.glob('*.json')):
            record = read_record(path)
            found[record['job']] = record
        jobs = [job.name for job in all_jobs(plan)]
        results = cls(plan, {name: found[name] for name in jobs if name in found}, sorted(set(found) - set(jobs)))
        results._check()
        return results

    def _check(self) -> None:
        for job in all_jobs(self.plan):
            record = self.records.get(job.name)
            if record is None:
                continue
            # What can be seen without data and configurations; a run compares the whole of them.
            wanted = dict(epochs=job.epochs, options=list(self.plan.options(job.kind, job.arm)))
            for key, value in wanted.items():
                if record[key] != value:
                    raise PlanError(
                        f'the record of {job.name} is of {key} {record[key]}, the plan asks for {value}; undo the '
                        'change, or give the changed plan a --work-dir of its own'
                    )
        for name in self.plan.pretrain:
            self._same(
                f'configuration of pre-training {name}', list(self.pretrained(name).values()), lambda r: r['common']
            )
        detectors = [record for record in self.records.values() if record['kind'] != 'pretrain']
        main = [record for record in detectors if record['kind'] in ('finetune', 'schedule')]
        self._same('configuration of fine-tuning', main, lambda r: r['common'])
        self._same('configuration of the probe', [r for r in detectors if r['kind'] == 'probe'], lambda r: r['common'])
        self._same('data', detectors, lambda r: sorted(map(self.plan.data_name, r['data'].values())))
        self._same(
            'data of pre-training',
            [r for r in self.records.values() if r['kind'] == 'pretrain'],
            lambda r: self.plan.data_name(r['data']['train']),
        )
        for kind in ('finetune', 'probe'):
            self._same(  # epochs are those of the plan, see above
                f'number of iterations an epoch ({kind})',
                [r for r in detectors if r['kind'] == kind],
                lambda r: r['iterations'] / r['epochs'],
            )
        # Within a row of a table; another row may start from a repetition of the pre-training, on another machine.
        for kind, arm, interval in dict.fromkeys((r['kind'], r['arm'], r['interval']) for r in detectors):
            self._same(
                f'pre-trained weights of {arm} ({kind}, {share_title(interval)})',
                [r for r in detectors if (r['kind'], r['arm'], r['interval']) == (kind, arm, interval)],
                lambda r: r['weights'],
            )

    def _same(self, what: str, records: List[Record], key: Any) -> None:
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

    def cell(self, kind: str, arm: str, interval: int, epochs: Optional[int] = None) -> Dict[int, Record]:
        """Records of one cell by seed; the study of the schedule takes the main length from its seeds' main runs."""
        if kind == 'schedule' and epochs == self.plan.finetune.epochs:
            seeds = self.seeds_studied(arm)
            return {seed: r for seed, r in self.cell('finetune', arm, interval).items() if seed in seeds}
        return {
            r['seed']: r
            for r in self.records.values()
            if r['kind'] == kind
            and r['arm'] == arm
            and r['interval'] == interval
            and (epochs is None or r['epochs'] == epochs)
        }

    def seeds_studied(self, arm: str) -> range:
        """The seeds that an arm has in the study of the schedule, at the length where it has most."""
        studied = [self.plan.seeds_of_length(length, arm) for length in self.plan.schedule if arm in length.arms]
        return max(studied, key=len, default=range(0))

    def arms_of_length(self, epochs: int) -> Tuple[str, ...]:
        """The arms that the study of the schedule has at a length, in the plan's order; at the main one all of it."""
        main = epochs == self.plan.finetune.epochs
        studied = {arm for length in self.plan.schedule if main or length.epochs == epochs for arm in length.arms}
        return tuple(arm.name for arm in self.plan.arms if arm.name in studied)

    def lengths(self) -> Tuple[int, ...]:
        """The lengths of the study of the schedule and the main one, in epochs, shortest first."""
        return tuple(sorted({self.plan.finetune.epochs, *(length.epochs for length in self.plan.schedule)}))

    def pretrained(self, name: str) -> Dict[int, Record]:
        """Records of a pre-training by seed."""
        return {r['seed']: r for r in self.records.values() if r['kind'] == 'pretrain' and r['arm'] == name}

    def range_values(self, name: str, figure: str) -> Dict[int, float]:
        """A figure of a pre-training's evaluation by seed, in its own unit."""
        found = ((seed, record['metrics'].get(figure)) for seed, record in self.pretrained(name).items())
        return {seed: value for seed, value in found if value is not None}

    def planned(self, kind: str, arm: str, interval: int, epochs: Optional[int] = None) -> int:
        """Seeds that the plan asks for in a cell; the study of the schedule has one for every length."""
        return sum(
            (job.kind, job.arm, job.interval) == (kind, arm, interval) and epochs in (None, job.epochs)
            for job in all_jobs(self.plan)
        )

    def values(self, name: str, *cell: Any) -> Dict[int, float]:
        """A figure of a cell by seed, in points (percent); errors such as mATE in their own unit."""
        scale = 1.0 if name.startswith('mA') and name.endswith('E') else 100.0
        found = ((seed, record['metrics'].get(name)) for seed, record in self.cell(*cell).items())
        return {seed: scale * value for seed, value in found if value is not None}

    def spread(self, name: str, *cell: Any) -> Spread:
        """Mean and deviation of a figure in a cell."""
        return spread(self.values(name, *cell))

    def gain(self, name: str, kind: str, arm: str, interval: int, over: Optional[str] = None) -> Difference:
        """Of an arm over another one (the baseline), by seed."""
        return paired(
            self.values(name, kind, arm, interval), self.values(name, kind, over or self.plan.baseline, interval)
        )

    def of_length(self, arm: str, epochs: int) -> Tuple[Difference, Difference]:
        """mAP of an arm in the study of the schedule, over its own main runs and over the baseline of that length."""
        headline = self.plan.headline
        own = self.values('mAP', 'schedule', arm, headline, epochs)
        main = self.values('mAP', 'finetune', arm, headline)
        return paired(own, main), paired(own, self.values('mAP', 'schedule', self.plan.baseline, headline, epochs))

    def metric_names(self) -> Tuple[str, ...]:
        """mAP and, where the evaluation has it, NDS."""
        found = [record for record in self.records.values() if record['kind'] != 'pretrain']
        return ('mAP', 'NDS') if any('NDS' in record['metrics'] for record in found) else ('mAP',)
