"""Uniform rays first, curvature rays once the surface means something (section 3.3)."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...errors import ConfigError
from ...pretrain.base import Pretrainer
from ..unwrapped import unwrapped

#: Entry of the message hub, hence of the checkpoint.
_KEY = 'sampling_warmup'
#: Measurements that are averaged: one is of a few frames.
_SMOOTHED = 5


@HOOKS.register_module()
class SamplingWarmupHook(Hook):
    """Switches the model between its warm-up sampler and its main one.

    The mode follows from the epoch and from figures that the checkpoint holds, so it is right after a resume at any
    point, and the same on all ranks. It is written to the log whenever it changes, and to every log line by the model's
    ``phase_figures`` (CLAP: ``curvature_sampling``).

    Args:
        warmup_epochs: N_warmup, epochs of uniform sampling (4 in the paper).
        until_rank_correlation: go on with the warm-up after these epochs, to the end of the run if need be, until the
            mean of the last five measurements of the model's ``readiness`` (CLAP: rank correlation of the curvature
            with the surface variation of the raw points) has reached this; None ends it by epochs alone, as the paper
            does. The epochs are the least because an untrained field has up to 0.37: what it finds is the scan.
        interval: steps between two measurements, which are logged throughout the run.
    """

    priority = 'NORMAL'

    def __init__(
        self, warmup_epochs: int = 4, until_rank_correlation: Optional[float] = None, interval: int = 20
    ) -> None:
        if warmup_epochs < 0:
            raise ConfigError(f'warmup_epochs must not be negative, got {warmup_epochs}')
        until = until_rank_correlation
        if until is not None and not (isinstance(until, (int, float)) and 0 < until < 1):
            raise ConfigError(
                f'until_rank_correlation must be None or between 0 and 1, got {until!r}; fields of 0.4 prefer objects, '
                'one of 0.23 avoids them'
            )
        if not isinstance(interval, int) or interval < 1:
            raise ConfigError(f'interval must be a whole number of steps of at least 1, got {interval!r}')
        self.warmup_epochs, self.until, self.interval = warmup_epochs, until, interval
        self._last: Optional[bool] = None

    def before_train(self, runner: Runner) -> None:
        """Say it if the warm-up is all there is, or cannot end."""
        model = self._model(runner)
        warmup, main = model.phases
        if self.until is not None and not model.readiness:
            raise ConfigError(
                f'until_rank_correlation={self.until} needs a sampler with curvature weights, got {main or "none"}; '
                'leave it out (default_hooks.warmup.until_rank_correlation=None), or draw by CurvatureRaySampler'
            )
        if 0 < runner.max_epochs <= self.warmup_epochs and main != warmup:
            runner.logger.warning(
                f'every one of the {runner.max_epochs} epochs is warm-up (warmup_epochs={self.warmup_epochs}): '
                f'{main} never draws. Lower warmup_epochs of SamplingWarmupHook (the paper: 4 of 12)'
            )

    def marks(self, runner: Runner) -> List[Tuple[int, str]]:
        """First iteration (from 1) after the warm-up, as far as it is known, and what begins; for the run card."""
        warmup, main = self._model(runner).phases
        ended = self.warmup_epochs * len(runner.train_dataloader)
        if self.until is not None:
            ended = self._state(runner)['ended']
        if main == warmup or ended is None:
            return []
        return [(ended + 1, f'rays are drawn by {main}, and become harder')]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Set the mode of the step that begins; per step, because loops over iterations begin only one epoch."""
        model = self._model(runner)
        model.warming_up = self._warming_up(runner)
        model.measures_readiness = bool(model.readiness) and runner.iter % self.interval == 0
        self._figures = model.phase_figures()
        if model.warming_up != self._last and model.phases[0]:
            runner.logger.info(
                f'ray sampling from epoch {runner.epoch + 1}: {model.phases[not model.warming_up]}'
                f' ({"warm-up" if model.warming_up else "main"}; {self._reason(runner)})'
            )
            self._last = model.warming_up

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Log the mode with the losses, and remember what was measured."""
        for name, value in self._figures.items():
            runner.message_hub.update_scalar(f'train/{name}', value)
        measured = (outputs or {}).get(self._model(runner).readiness)
        if measured is not None and self.until is not None:
            state = self._state(runner)
            recent = [*state['recent'], float(measured)][-_SMOOTHED:]
            runner.message_hub.update_info(_KEY, dict(state, recent=recent))

    def after_train(self, runner: Runner) -> None:
        """Say it if curvature never became good enough."""
        if self.until is not None and self._state(runner)['ended'] is None:
            runner.logger.warning(
                f'all rays of this run were drawn by {self._model(runner).phases[0]}: {self._reason(runner)}. More and '
                'more different frames, more steps, or the SDF terms (docs/results/curvature.md) make it better'
            )

    @staticmethod
    def _state(runner: Runner) -> Dict[str, Any]:
        """Last measurements, and the iteration (from 0) that the main phase began with; the same on all ranks."""
        hub = runner.message_hub
        return hub.get_info(_KEY) if _KEY in hub.runtime_info else dict(recent=[], ended=None)

    def _warming_up(self, runner: Runner) -> bool:
        if self.until is None or runner.epoch < self.warmup_epochs:
            return runner.epoch < self.warmup_epochs
        state = self._state(runner)
        if state['ended'] is None and len(state['recent']) == _SMOOTHED and _mean(state['recent']) >= self.until:
            state = dict(state, ended=runner.iter)
            runner.message_hub.update_info(_KEY, state)
        return state['ended'] is None

    def _reason(self, runner: Runner) -> str:
        if self.until is None:
            return f'{self.warmup_epochs} warm-up epochs'
        recent = self._state(runner)['recent']
        mean = f'{_mean(recent):.2f}' if recent else 'not measured'
        return (
            f'rank correlation {mean}; the warm-up lasts {self.warmup_epochs} epochs, and until the mean of '
            f'{_SMOOTHED} measurements is {self.until:g}'
        )

    @staticmethod
    def _model(runner: Runner) -> Pretrainer:
        model = unwrapped(runner.model)
        if not isinstance(model, Pretrainer):
            raise ConfigError(
                f'SamplingWarmupHook is for a pre-training method such as CLAP, got {type(model).__name__}; leave the '
                'hook out: default_hooks.warmup=None'
            )
        return model


def _mean(values: List[float]) -> float:
    return sum(values) / len(values)
