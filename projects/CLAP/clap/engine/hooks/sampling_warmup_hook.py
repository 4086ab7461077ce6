"""Uniform rays first, curvature rays once the surface means something (section 3.3)."""

from __future__ import annotations

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...errors import ConfigError
from ...pretrain.samplers import CurvatureRaySampler, UniformRaySampler
from ..unwrapped import unwrapped


@HOOKS.register_module()
class SamplingWarmupHook(Hook):
    """Switches the model between its warm-up sampler and its main one.

    The mode follows from the epoch alone, so it is right after a resume at any
    point. It is written to the log whenever it changes, and to every log line
    as ``curvature_sampling`` (1 where rays are drawn by curvature, else 0).

    Args:
        warmup_epochs: N_warmup, epochs of uniform sampling (4 in the paper).
    """

    priority = 'NORMAL'

    def __init__(self, warmup_epochs: int = 4) -> None:
        if warmup_epochs < 0:
            raise ConfigError(f'warmup_epochs must not be negative, got {warmup_epochs}')
        self.warmup_epochs = warmup_epochs
        self._last = None

    def before_train(self, runner: Runner) -> None:
        """Say it if the warm-up is all there is."""
        sampler = getattr(unwrapped(runner.model), 'ray_sampler', None)
        if 0 < runner.max_epochs <= self.warmup_epochs and not isinstance(sampler, UniformRaySampler):
            runner.logger.warning(
                f'every one of the {runner.max_epochs} epochs is warm-up (warmup_epochs={self.warmup_epochs}): '
                f'{type(sampler).__name__} never draws. Lower warmup_epochs of SamplingWarmupHook (the paper: 4 of 12)'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Set the mode of the step that begins; per step, because loops over iterations begin only one epoch."""
        model = unwrapped(runner.model)
        if not hasattr(model, 'warming_up'):
            raise TypeError(
                f'SamplingWarmupHook needs a model with ray samplers such as CLAP, got {type(model).__name__}'
            )
        model.warming_up = runner.epoch < self.warmup_epochs
        self._curvature = isinstance(model.active_sampler, CurvatureRaySampler)
        if model.warming_up != self._last:
            name = type(model.active_sampler).__name__
            runner.logger.info(
                f'ray sampling from epoch {runner.epoch + 1}: {name}'
                f' ({"warm-up" if model.warming_up else "main"}; {self.warmup_epochs} warm-up epochs)'
            )
            self._last = model.warming_up

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Log the mode with the losses."""
        runner.message_hub.update_scalar('train/curvature_sampling', float(self._curvature))
