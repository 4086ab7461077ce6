"""Uniform rays first, curvature rays once the surface means something (section 3.3)."""

from __future__ import annotations

from typing import List, Optional, Tuple

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...errors import ConfigError
from ...pretrain.base import Pretrainer
from ..unwrapped import unwrapped


@HOOKS.register_module()
class SamplingWarmupHook(Hook):
    """Switches the model between its warm-up sampler and its main one.

    The mode follows from the epoch alone, so it is right after a resume at any
    point. It is written to the log whenever it changes, and to every log line
    by the model's ``phase_figures`` (CLAP: ``curvature_sampling``).

    Args:
        warmup_epochs: N_warmup, epochs of uniform sampling (4 in the paper).
    """

    priority = 'NORMAL'

    def __init__(self, warmup_epochs: int = 4) -> None:
        if warmup_epochs < 0:
            raise ConfigError(f'warmup_epochs must not be negative, got {warmup_epochs}')
        self.warmup_epochs = warmup_epochs
        self._last: Optional[bool] = None

    def before_train(self, runner: Runner) -> None:
        """Say it if the warm-up is all there is."""
        model = self._model(runner)
        warmup, main = model.phases
        if 0 < runner.max_epochs <= self.warmup_epochs and main != warmup:
            runner.logger.warning(
                f'every one of the {runner.max_epochs} epochs is warm-up (warmup_epochs={self.warmup_epochs}): '
                f'{main} never draws. Lower warmup_epochs of SamplingWarmupHook (the paper: 4 of 12)'
            )

    def marks(self, runner: Runner) -> List[Tuple[int, str]]:
        """First iteration (from 1) after the warm-up, and what begins with it; for the run card."""
        warmup, main = self._model(runner).phases
        first = self.warmup_epochs * len(runner.train_dataloader) + 1
        return [(first, f'rays are drawn by {main}, and become harder')] if main != warmup else []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Set the mode of the step that begins; per step, because loops over iterations begin only one epoch."""
        model = self._model(runner)
        model.warming_up = runner.epoch < self.warmup_epochs
        self._figures = model.phase_figures()
        if model.warming_up != self._last and model.phases[0]:
            runner.logger.info(
                f'ray sampling from epoch {runner.epoch + 1}: {model.phases[not model.warming_up]}'
                f' ({"warm-up" if model.warming_up else "main"}; {self.warmup_epochs} warm-up epochs)'
            )
            self._last = model.warming_up

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Log the mode with the losses."""
        for name, value in self._figures.items():
            runner.message_hub.update_scalar(f'train/{name}', value)

    @staticmethod
    def _model(runner: Runner) -> Pretrainer:
        model = unwrapped(runner.model)
        if not isinstance(model, Pretrainer):
            raise ConfigError(
                f'SamplingWarmupHook is for a pre-training method such as CLAP, got {type(model).__name__}; leave the '
                'hook out: default_hooks.warmup=None'
            )
        return model
