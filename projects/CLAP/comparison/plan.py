"""The plan of a comparison: arms, shares of the labels, seeds, lengths."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Dict, Optional, Tuple

from projects.CLAP.clap.encoders.encoder_base import ENCODERS
from projects.CLAP.clap.errors import ConfigError


class PlanError(ConfigError):
    """A plan that cannot be carried out, or records that do not belong to it."""


@dataclass(frozen=True)
class Arm:
    """One way to start the detector.

    Attributes:
        name, title: short name, and the name in tables.
        weights: pre-trainings that it starts from; each with the encoders to take from it, None for all of them.
        paper: (share in percent, mAP, NDS) of the paper, in percent; NDS may be None.
        options: overrides of the fine-tuning configuration for this arm alone, e.g. a learning rate of its own.
        seeds: seeds at the headline share; None for the plan's ``headline_seeds``.
        side: a side arm: at one share alone, without a probe, in no step from arm to arm, run on request.
        share: the share of a side arm, as an interval; None for the headline.
        pretrain_seed: which run of its pre-trainings it starts from.
    """

    name: str
    title: str
    weights: Tuple[Tuple[str, Optional[Tuple[str, ...]]], ...] = ()
    paper: Tuple[Tuple[float, Optional[float], Optional[float]], ...] = ()
    options: Tuple[str, ...] = ()
    seeds: Optional[int] = None
    side: bool = False
    share: Optional[int] = None
    pretrain_seed: int = 0

    @property
    def encoders(self) -> Optional[Tuple[str, ...]]:
        """Encoders that the weights hold by declaration, in the order of the data's way; None for all."""
        if all(names is None for _, names in self.weights):
            return None
        named = {name for _, names in self.weights for name in names or ()}
        return tuple(name for name in ENCODERS if name in named)


@dataclass(frozen=True)
class Stage:
    """Runs of one kind: configuration file, overrides, epochs, epochs between validations, shares and seeds."""

    config: Path
    options: Tuple[str, ...]
    epochs: int
    val_interval: Optional[int] = None
    shares: Tuple[int, ...] = ()
    seeds: int = 1


@dataclass(frozen=True)
class Aim:
    """What the headline should show: so many mAP points of an arm over the baseline, with p below."""

    arm: str
    points: float
    p: float


@dataclass(frozen=True)
class Length:
    """Fine-tuning of another length at the headline share, to show what fewer or more iterations give."""

    epochs: int
    seeds: int  # an arm that has fewer at the headline share has as many here
    arms: Tuple[str, ...]  # by default the baseline alone


@dataclass(frozen=True)
class Plan:
    """What a plan file declares.

    ``projects/CLAP/configs/comparison/sim.py`` shows every key of a comparison by labels, ``samplers_sim.py``
    of one without fine-tuning (``headline_seeds`` and ``other_seeds`` 0), where pre-trainings have seeds themselves.
    """

    name: str
    title: str
    readme: Optional[str]
    note: str
    make_data: str  # the command that makes its data in {data_root}, told where they are missing
    same_data: Tuple[Tuple[str, ...], ...]  # info files, as records name them, that differ in rounding alone
    pretrain: Dict[str, Stage]
    arms: Tuple[Arm, ...]
    baseline: str
    shares: Tuple[int, ...]
    headline: int
    headline_seeds: int
    other_seeds: int
    other_arms: Tuple[str, ...]
    other_epochs: Dict[int, int]  # of a share whose runs have another length than `finetune` says, by interval
    seeds_at: Dict[int, int]  # of a share that has another number of seeds than `other_seeds`, by interval
    first_seed: int  # of the detectors; earlier ones were used to choose something, and are in no table
    finetune: Stage
    probe: Optional[Stage]
    schedule: Tuple[Length, ...]
    aim: Optional[Aim]
    range_baseline: Optional[str]  # pre-training against which the range errors of the others are set, seed by seed
    workers: int
    path: Path

    def data_name(self, info_file: str) -> str:
        """The name that an info file goes by: the first of those that ``same_data`` says are the same."""
        return next((names[0] for names in self.same_data if info_file in names), info_file)

    def arm(self, name: str) -> Arm:
        """The arm of a name."""
        return next(arm for arm in self.arms if arm.name == name)

    def share_of(self, arm: Arm) -> int:
        """The share, as an interval, at which an arm stands beside the others: the headline, or a side arm's own."""
        return self.headline if arm.share is None else arm.share

    def headline_arms(self) -> Tuple[Arm, ...]:
        """The arms that have runs at the headline share."""
        return tuple(arm for arm in self.arms if self.share_of(arm) == self.headline)

    def seeds_of(self, arm: Arm) -> int:
        """How many seeds an arm has at the headline share, a side arm at its own."""
        return self.headline_seeds if arm.seeds is None else arm.seeds

    def other_seeds_at(self, interval: int) -> int:
        """How many seeds ``other_arms`` have at a share other than the headline."""
        return self.seeds_at.get(interval, self.other_seeds)

    def seeds_of_length(self, length: Length, arm: str) -> range:
        """The seeds of an arm in the study of the schedule."""
        return self.seeds(min(length.seeds, self.seeds_of(self.arm(arm))))

    def seeds(self, number: int) -> range:
        """The first seeds of the detectors."""
        return range(self.first_seed, self.first_seed + number)

    def epochs_at(self, interval: int) -> int:
        """Epochs of fine-tuning at a share, the same for every arm."""
        return self.other_epochs.get(interval, self.finetune.epochs)

    def stage(self, kind: str, arm: str) -> Stage:
        """What the plan says about runs of a kind; ``arm`` is the name of the pre-training for ``'pretrain'``."""
        if kind == 'pretrain':
            return self.pretrain[arm]
        if kind == 'probe':
            assert self.probe is not None
            return self.probe
        return self.finetune

    def options(self, kind: str, arm: str) -> Tuple[str, ...]:
        """Overrides of a run's configuration file: those of its kind, and where everything is trained of its arm."""
        own = self.arm(arm).options if kind in ('finetune', 'schedule') else ()
        return (*self.stage(kind, arm).options, *own)


def share_percent(interval: int) -> float:
    """Every n-th frame in percent."""
    return 100.0 / interval


def share_name(interval: int) -> str:
    """``20`` -> ``5pct``, ``40`` -> ``2p5pct``: part of a job's name."""
    return f'{share_percent(interval):.4g}pct'.replace('.', 'p')


def share_title(interval: int) -> str:
    """``20`` -> ``5 %``."""
    return f'{share_percent(interval):.4g} %'


def label_offset(seed: int, interval: int) -> int:
    """First labelled frame of a seed, below ``interval``: 0 for seed 0, then spread evenly, all different at first.

    Steps of about the golden section that have no divisor in common with ``interval``. It depends on nothing else, so
    every arm of a seed has the same frames, and further seeds leave earlier ones alone.
    """
    step = max(1, round(0.6180339887498949 * interval))
    while gcd(step, interval) > 1:
        step += 1
    return seed * step % interval
