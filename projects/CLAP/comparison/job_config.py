"""The whole configuration of a job, and the fingerprints by which its record is known again."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmengine.config import Config

from projects.CLAP.clap.engine.config.load import load_config

from .jobs import Job
from .plan import Plan, PlanError, Stage

#: Keys that say where and how a run is written down, not what comes out of it.
_NO_INFLUENCE = (
    'work_dir',
    'vis_backends',
    'visualizer',
    'log_processor',
    'log_level',
    'launcher',
    'resume',
    'load_from',
    'experiment_name',
    'test_dataloader',
    'test_evaluator',
    'auto_scale_lr',
    # copies of what is in the data loaders, left by the configuration files
    'train_pipeline',
    'val_pipeline',
    'data_root',
    'data_prefix',
    'metainfo',
)
_NO_INFLUENCE_HOOKS = ('logger', 'checkpoint', 'live', 'timer')


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
        return self._config(job, self.plan.stage(job.kind, job.arm), self.plan.options(job.kind, job.arm))

    def _config(self, job: Job, stage: Stage, options: Tuple[str, ...]) -> Config:
        key = (stage.config, options)
        if key not in self._files:
            self._files[key] = load_config(str(stage.config), list(options))
        cfg = copy.deepcopy(self._files[key])
        cfg.randomness = dict(seed=job.seed)
        cfg.train_cfg.max_epochs = job.epochs
        for name in ('train_dataloader', 'val_dataloader'):
            cfg[name].update(num_workers=self.plan.workers, persistent_workers=self.plan.workers > 0)
        # An evaluation that has to be made up for after a kill is the same as the training's own.
        cfg.test_dataloader, cfg.test_evaluator = copy.deepcopy(cfg.val_dataloader), copy.deepcopy(cfg.val_evaluator)
        if job.kind == 'pretrain':
            cfg.train_cfg.val_interval = stage.val_interval or job.epochs
            if cfg.model.type != 'CLAP':
                raise PlanError(f'pretrain.{job.arm}.config: expected a CLAP model, got {cfg.model.type}')
            return cfg
        return self._detector(cfg, job, stage)

    def _detector(self, cfg: Config, job: Job, stage: Stage) -> Config:
        dataset = cfg.train_dataloader.dataset
        if dataset.get('type') != 'CLAPDataset' or not dataset.get('with_annotations'):
            raise PlanError(
                f'{stage.config}: train_dataloader.dataset must be a CLAPDataset with labels, without a '
                'wrapper, so that shares can be drawn from it'
            )
        dataset.update(load_interval=job.interval, load_offset=job.offset, keep_length=True)
        if job.kind == 'probe':
            cfg.model.freeze_encoders = True
            cfg.custom_hooks = [*cfg.custom_hooks, dict(type='FrozenNormHook')]
        # The study of the schedule is about the final figure; a curve within a run would measure its decaying rate.
        interval = job.epochs if job.kind == 'schedule' else stage.val_interval or job.epochs
        cfg.train_cfg.val_interval = min(interval, job.epochs)
        weights = self.weights_of(job.arm)
        cfg.load_from = str(weights.resolve()) if weights else None
        checks = [hook for hook in cfg.custom_hooks if hook.type == 'TransferReportHook']
        if not checks:
            raise PlanError(
                f'{stage.config}: custom_hooks has no TransferReportHook; without it a run would start '
                'from whatever happens to fit'
            )
        encoders = self.plan.arm(job.arm).encoders
        if encoders is not None:
            checks[0].modules = list(encoders)
        return cfg

    # ------------------------------------------------------------ fingerprints

    def fingerprint(self, job: Job) -> str:
        """Of everything that decides the result, but for data and code: configuration, weights that it starts from."""
        start = [] if job.kind == 'pretrain' else self._start(job.arm)
        return _digest(dict(config=plain(self.config(job)), start=start))

    def common(self, job: Job) -> str:
        """Of what all jobs of one table must share: the configuration without arm, its options, share, seed, length."""
        stage = self.plan.stage(job.kind, job.arm)
        cfg = plain(self._config(job, stage, stage.options))
        cfg.pop('randomness')
        for key in ('max_epochs', 'val_interval'):
            cfg['train_cfg'].pop(key)
        if job.kind != 'pretrain':
            for key in ('load_interval', 'load_offset'):
                cfg['train_dataloader']['dataset'].pop(key)
            for hook in cfg['custom_hooks']:
                if hook['type'] == 'TransferReportHook':
                    hook.pop('modules', None)
        return _digest(cfg)

    def _start(self, arm: str) -> List[Any]:
        """What an arm starts from: fingerprints of its pre-trainings and the encoders taken from each."""
        if arm not in self._starts:
            seed = self.plan.arm(arm).pretrain_seed
            self._starts[arm] = [
                [self.fingerprint(Job('', 'pretrain', seed, self.plan.pretrain[stage].epochs, stage)), names]
                for stage, names in self.plan.arm(arm).weights
            ]
        return self._starts[arm]


def plain(cfg: Config) -> Dict[str, Any]:
    """A configuration in plain containers, without what has no influence and without the place of the data."""
    content = json.loads(json.dumps(cfg.to_dict(), default=str, sort_keys=True))
    for key in _NO_INFLUENCE:
        content.pop(key, None)
    for key in _NO_INFLUENCE_HOOKS:
        content.get('default_hooks', {}).pop(key, None)
    roots = {
        str(loader['dataset']['data_root'])
        for loader in (cfg.train_dataloader, cfg.val_dataloader)
        if 'data_root' in loader['dataset']
    }
    return _without(content, sorted(roots, key=len, reverse=True))


def _without(node: Any, roots: Sequence[str]) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, roots) for key, value in node.items()}
    if isinstance(node, list):
        return [_without(value, roots) for value in node]
    if isinstance(node, str):
        for root in roots:
            node = node.replace(root, 'DATA/')
    return node


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
