"""The whole configuration of a job, and the fingerprint by which its record is known again."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from mmdet3d.registry import MODELS
from mmengine.config import Config

from projects.CLAP.clap.encoders.encoder_base import ENCODERS
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.pretrain.method import Method

from .plan import Job, Plan, PlanError, starts

#: Keys that decide what comes out of a run; others say where and how it is written down, or are parts of these.
_INFLUENCE = (
    'model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'train_cfg', 'val_cfg', 'optim_wrapper',
    'param_scheduler', 'randomness', 'env_cfg', 'default_hooks', 'custom_hooks',
)  # fmt: skip
_NO_INFLUENCE_HOOKS = ('logger', 'checkpoint', 'gradient_share', 'live', 'timer', 'transfer')


@dataclass(eq=False)
class JobConfigs:
    """Makes the configurations of a plan's jobs; files are read once.

    Args:
        plan: the plan.
        weights: folder of the exported encoders, one file per arm.
    """

    plan: Plan
    weights: Path
    _load: Any = field(default_factory=lambda: lru_cache(maxsize=None)(load_config))

    def weights_of(self, arm: str, seed: int = 0) -> Optional[Path]:
        """File that an arm's detector of a seed starts from, named after what it is made of; None for random ones."""
        start = self._start(arm, seed)
        return self.weights / f'{arm}-{_digest(start)[:8]}.pth' if start else None

    def config(self, job: Job, options: Optional[Tuple[str, ...]] = None) -> Config:
        """The configuration that a job is run with; ``options`` stand in for those of the plan.

        Raises:
            PlanError: the file is not of the kind that is needed.
            ConfigError, FileNotFoundError: see :func:`load_config`.
        """
        path = str(self.plan.config(job.kind, job.arm))
        asked = self.plan.options(job.kind, job.arm) if options is None else options
        cfg = copy.deepcopy(self._load(path, asked))
        cfg.randomness = dict(seed=job.seed)
        cfg.train_cfg.update(max_epochs=job.epochs, val_interval=job.epochs)
        for name in ('train_dataloader', 'val_dataloader'):
            cfg[name].update(num_workers=self.plan.workers, persistent_workers=self.plan.workers > 0)
        # An evaluation that has to be made up for after a kill is the same as the training's own.
        cfg.test_dataloader, cfg.test_evaluator = copy.deepcopy(cfg.val_dataloader), copy.deepcopy(cfg.val_evaluator)
        if job.kind != 'pretrain':
            self._detector(cfg, job, path)
        elif not issubclass(MODELS.get(cfg.model.type), Method):
            raise PlanError(f'pretrain.{job.arm}.config: a pre-training method is expected, got {cfg.model.type}')
        return cfg

    def _detector(self, cfg: Config, job: Job, path: str) -> None:
        dataset = cfg.train_dataloader.dataset
        labelled = dataset.get('with_annotations') or dataset.get('semantic_classes')
        if dataset.get('type') != 'CLAPDataset' or not labelled:
            raise PlanError(f'{path}: train_dataloader.dataset must be a CLAPDataset with labels, without a wrapper')
        dataset.update(load_interval=job.interval, load_offset=job.offset, keep_length=True)
        if job.kind == 'probe':
            cfg.model.freeze_encoders = True
            cfg.default_hooks.frozen_norm = dict(type='FrozenNormHook')
        weights = self.weights_of(job.arm, job.seed)
        cfg.load_from = str(weights.resolve()) if weights else None
        named = {name for names in self.plan.arm(job.arm).weights.values() for name in names or ()}
        asked = [name for name in ENCODERS if name in named] or None
        # Without this check a run would start from whatever happens to fit.
        check = cfg.default_hooks.get('transfer') or dict(type='TransferReportHook')
        cfg.default_hooks.transfer = dict(check, modules=asked)

    def fingerprint(self, job: Job) -> str:
        """Of everything that decides the result, but for data and code: configuration, weights that it starts from."""
        start = [] if job.kind == 'pretrain' else self._start(job.arm, job.seed)
        # The processes of a job decide the frames of a step.
        more: Dict[str, Any] = dict(gpus=job.gpus) if job.gpus > 1 else {}
        if job.kind == 'pretrain' and self.plan.points:
            more.update(points=self.plan.points.arguments)
        return _digest(dict(config=plain(self.config(job)), start=start, **more))

    def common(self, job: Job) -> str:
        """Of what all jobs of one table must share: the configuration without arm, its options, share, seed, length."""
        same = replace(job, seed=0, epochs=1, interval=job.interval and 1)
        return _digest(plain(self.config(same, self.plan.source(job.kind, job.arm).options)))

    @lru_cache(maxsize=None)  # noqa: B019  # there is one of these for a command
    def _start(self, arm: str, seed: int) -> List[Any]:
        """What an arm starts from: fingerprints of its pre-trainings and the encoders taken from each."""
        parts = zip(starts(self.plan, arm, seed), self.plan.arm(arm).weights.values())
        return [[self.fingerprint(job), taken] for job, taken in parts]


def plain(cfg: Config) -> Dict[str, Any]:
    """A configuration in plain containers, without what has no influence and without the place of the data."""
    text = json.dumps(cfg.to_dict(), default=str)
    roots = {str(cfg[name]['dataset'].get('data_root', '')) for name in ('train_dataloader', 'val_dataloader')}
    for root in sorted(roots - {''}, key=len, reverse=True):
        text = text.replace(f': {json.dumps(root)[:-1]}', ': "DATA/')
    every = json.loads(text)
    content = {key: every[key] for key in _INFLUENCE if key in every}
    for name in _NO_INFLUENCE_HOOKS:
        content['default_hooks'].pop(name, None)
    return content


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
