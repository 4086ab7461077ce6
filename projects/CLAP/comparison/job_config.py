"""The whole configuration of a job, and the fingerprint by which its record is known again."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmdet3d.registry import MODELS
from mmengine.config import Config

from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.pretrain.base import Pretrainer

from .jobs import Job
from .plan import Plan, PlanError

#: Keys that decide what comes out of a run; others say where and how it is written down, or are parts of these.
_INFLUENCE = (
    'model', 'train_dataloader', 'val_dataloader', 'val_evaluator', 'train_cfg', 'val_cfg', 'optim_wrapper',
    'param_scheduler', 'randomness', 'env_cfg',
)  # fmt: skip
_NO_INFLUENCE_HOOKS = ('logger', 'checkpoint', 'live', 'timer')
_TRANSFER = 'TransferReportHook'


@dataclass
class JobConfigs:
    """Makes the configurations of a plan's jobs; files are read once.

    Args:
        plan: the plan.
        weights: folder of the exported encoders, one file per arm.
    """

    plan: Plan
    weights: Path
    _files: Dict[Tuple, Config] = field(default_factory=dict)
    _starts: Dict[str, List[Any]] = field(default_factory=dict)  # by arm

    def weights_of(self, arm: str) -> Optional[Path]:
        """File that an arm's detectors start from, named after what it is made of; None for random initialisation."""
        start = self._start(arm)
        return self.weights / f'{arm}-{_digest(start)[:8]}.pth' if start else None

    def config(self, job: Job) -> Config:
        """The configuration that a job is run with.

        Raises:
            PlanError: the file is not of the kind that is needed.
            ConfigError, FileNotFoundError: see :func:`load_config`.
        """
        return self._config(job, self.plan.options(job.kind, job.arm))

    def _config(self, job: Job, options: Sequence[str]) -> Config:
        path = str(self.plan.source(job.kind, job.arm).config)
        key = (path, tuple(options))
        if key not in self._files:
            self._files[key] = load_config(path, list(options))
        cfg = copy.deepcopy(self._files[key])
        cfg.randomness = dict(seed=job.seed)
        cfg.train_cfg.update(max_epochs=job.epochs, val_interval=job.epochs)
        for name in ('train_dataloader', 'val_dataloader'):
            cfg[name].update(num_workers=self.plan.workers, persistent_workers=self.plan.workers > 0)
        # An evaluation that has to be made up for after a kill is the same as the training's own.
        cfg.test_dataloader, cfg.test_evaluator = copy.deepcopy(cfg.val_dataloader), copy.deepcopy(cfg.val_evaluator)
        if job.kind != 'pretrain':
            self._detector(cfg, job, path)
        elif not issubclass(MODELS.get(cfg.model.type), Pretrainer):
            raise PlanError(f'pretrain.{job.arm}.config: a pre-training method is expected, got {cfg.model.type}')
        return cfg

    def _detector(self, cfg: Config, job: Job, path: str) -> None:
        dataset = cfg.train_dataloader.dataset
        if dataset.get('type') != 'CLAPDataset' or not dataset.get('with_annotations'):
            raise PlanError(f'{path}: train_dataloader.dataset must be a CLAPDataset with labels, without a wrapper')
        dataset.update(load_interval=job.interval, load_offset=job.offset, keep_length=True)
        if job.kind == 'probe':
            cfg.model.freeze_encoders = True
            cfg.default_hooks.frozen_norm = dict(type='FrozenNormHook')
        weights = self.weights_of(job.arm)
        cfg.load_from = str(weights.resolve()) if weights else None
        checks = [hook for hook in _hooks(cfg).values() if hook['type'] == _TRANSFER]
        if not checks:
            raise PlanError(f'{path}: add a {_TRANSFER}; without it a run would start from whatever happens to fit')
        encoders = self.plan.arm(job.arm).encoders
        if encoders is not None:
            checks[0]['modules'] = list(encoders)

    # ------------------------------------------------------------ fingerprints

    def fingerprint(self, job: Job) -> str:
        """Of everything that decides the result, but for data and code: configuration, weights that it starts from."""
        start = [] if job.kind == 'pretrain' else self._start(job.arm)
        return _digest(dict(config=plain(self.config(job)), start=start))

    def common(self, job: Job) -> str:
        """Of what all jobs of one table must share: the configuration without arm, its options, share, seed, length."""
        cfg = plain(self._config(job, self.plan.source(job.kind, job.arm).options))
        cfg.pop('randomness')
        for part, keys in (
            (cfg['train_cfg'], ('max_epochs', 'val_interval')),
            (cfg['train_dataloader']['dataset'], ('load_interval', 'load_offset')),
            (cfg['hooks'].get(_TRANSFER, {}), ('modules',)),
        ):
            for key in keys:
                part.pop(key, None)
        return _digest(cfg)

    def _start(self, arm: str) -> List[Any]:
        """What an arm starts from: fingerprints of its pre-trainings and the encoders taken from each."""
        if arm not in self._starts:
            self._starts[arm] = []
            for name, taken in self.plan.arm(arm).weights:
                stage = self.plan.pretrain[name]
                job = Job('', 'pretrain', stage.seeds[0], stage.epochs, name)
                self._starts[arm].append([self.fingerprint(job), taken])
        return self._starts[arm]


def _hooks(cfg: Any) -> Dict[str, Any]:
    """The hooks of a configuration, those of its dictionary by name and those of its list by place."""
    listed = {str(place): hook for place, hook in enumerate(cfg.get('custom_hooks') or ())}
    return {name: hook for name, hook in {**cfg['default_hooks'], **listed}.items() if hook}


def plain(cfg: Config) -> Dict[str, Any]:
    """A configuration in plain containers, without what has no influence and without the place of the data.

    Hooks stand by type, however the files name them.
    """
    every = json.loads(json.dumps(cfg.to_dict(), default=str))
    content = {key: every[key] for key in _INFLUENCE if key in every}
    hooks = [hook for name, hook in _hooks(every).items() if name not in _NO_INFLUENCE_HOOKS]
    content['hooks'] = {hook['type']: hook for hook in hooks}
    sampler = content['model'].get('ray_sampler')
    if sampler:
        # Published records were made without the key, when 1 m was the default; without it 2.5 m are meant today.
        range_m = sampler.pop('min_range_m', None)
        if range_m != 1.0:
            sampler['min_range_m'] = range_m
    roots = {str(cfg[name]['dataset'].get('data_root', '')) for name in ('train_dataloader', 'val_dataloader')}
    return _without(content, sorted(roots - {''}, key=len, reverse=True))


def _without(node: Any, roots: Sequence[str]) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, roots) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_without(value, roots) for value in node]
    if isinstance(node, str):
        for root in roots:
            node = node.replace(root, 'DATA/')
    return node


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
