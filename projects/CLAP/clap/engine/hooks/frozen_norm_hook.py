"""Batch-norm statistics of encoders that are frozen: every arm of a probe gets those of its own features."""

from __future__ import annotations

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...errors import ConfigError
from ..unwrapped import unwrapped
from .unmasked_norm_hook import augmented_frames, estimate_norm_statistics


@HOOKS.register_module()
class FrozenNormHook(Hook):
    """Estimates the running statistics of frozen encoders on the training frames, before the first step.

    Frozen encoders run on their stored statistics. Those of a randomly initialised encoder are made up (mean 0,
    variance 1), and in encoders that were trained apart and merged, one part's statistics do not know the other's
    output. A probe would then measure the statistics instead of the weights. The frames are the labelled ones, their
    labels are not looked at; the weights stay as they are.

    Args:
        num_frames: frames of the training set, spread evenly.
    """

    priority = 'VERY_LOW'  # after TransferReportHook has compared the statistics with the checkpoint's

    def __init__(self, num_frames: int = 16) -> None:
        if num_frames < 1:
            raise ConfigError(f'num_frames must be positive, got {num_frames}')
        self.num_frames = num_frames

    def before_train(self, runner: Runner) -> None:
        """Estimate; a resumed run comes to the same numbers."""
        model = unwrapped(runner.model)
        if not getattr(model, 'freeze_encoders', False):
            raise TypeError(
                'FrozenNormHook is for a detector with freeze_encoders=True; leave the hook out, or set '
                'model.freeze_encoders=True'
            )
        with augmented_frames(runner, self.num_frames, epoch=0) as batches:
            estimate_norm_statistics(model, batches)
