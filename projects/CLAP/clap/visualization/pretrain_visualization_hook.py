"""Pictures of what pre-training does while it runs."""

from __future__ import annotations

import random
import traceback
from typing import List, Optional, Sequence

import numpy as np
import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ..engine.checkpoint.restore import single_batch
from ..engine.unwrapped import unwrapped
from ..errors import ConfigError
from . import lidar_on_images
from .figures import draw, to_pixels
from .frames import known_pictures, pictures_of
from .undisturbed import undisturbed


@HOOKS.register_module()
class PretrainVisualizationHook(Hook):
    """Draws chosen frames every ``interval`` iterations, before the first and after the last one.

    Images go to ``runner.visualizer`` under the names ``frame<index>_<figure>``, so to every backend of the
    ``visualizer`` configuration (files under ``vis_data/vis_image`` by ``LocalVisBackend``, TensorBoard, ...). The
    frame is rendered unmasked in evaluation mode by the main process alone, without a collective; training goes on
    as if nothing had been drawn (:func:`undisturbed`). A picture that fails is reported in the log with its
    traceback, and the run goes on.

    Args:
        interval: iterations between pictures.
        frames: indices into the dataset.
        dataset: ``'val'`` (no augmentation) or ``'train'``.
        figures: which of ``lidar_on_images`` (the points on the images: is the calibration right? drawn once) and of
            the names that the method declares (``picture_titles``); None draws all but its ``pictures_on_request``.
        stride: pixels between rendered camera rays.
        max_points: LiDAR rays that are rendered at most.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        interval: int = 500,
        frames: Sequence[int] = (0,),
        dataset: str = 'val',
        figures: Optional[Sequence[str]] = None,
        stride: int = 8,
        max_points: int = 8192,
    ) -> None:
        if interval < 1 or stride < 1 or max_points < 1:
            raise ConfigError(
                f'interval, stride and max_points must be positive, got {interval}, {stride} and {max_points}'
            )
        if dataset not in ('val', 'train'):
            raise ConfigError(f"dataset must be 'val' or 'train', got {dataset!r}")
        self.interval, self.frames, self.dataset, self.figures = interval, tuple(frames), dataset, figures
        self.stride, self.max_points = stride, max_points
        self._drawn_at: Optional[int] = None

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Check the choice of pictures and frames; draw the untrained model."""
        self._names(unwrapped(runner.model))
        if self.dataset == 'val' and runner._val_loop is None:
            raise ConfigError(
                "PretrainVisualizationHook(dataset='val') needs a val_dataloader; add one or set dataset='train'"
            )
        dataset = self._dataset(runner)
        for frame in self.frames:
            if not 0 <= frame < len(dataset):
                raise ConfigError(
                    f'PretrainVisualizationHook: frame {frame} does not exist; '
                    f'the {self.dataset} dataset has frames 0 to {len(dataset) - 1}'
                )
        if runner.iter == 0:
            self._try(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Draw every ``interval`` iterations."""
        if self.every_n_train_iters(runner, self.interval):
            self._try(runner, runner.iter + 1)

    def after_train(self, runner: Runner) -> None:
        """Draw the final state."""
        if self._drawn_at != runner.iter:
            self._try(runner, runner.iter)

    @master_only
    def _try(self, runner: Runner, step: int = 0) -> None:
        try:
            self.draw(runner, step)
        except Exception:  # a full disk must not end a run of days for a picture
            runner.logger.error(f'no pictures of iteration {step}:\n{traceback.format_exc()}')

    def draw(self, runner: Runner, step: int) -> None:
        """Render the frames and hand the figures to the visualizer."""
        first, self._drawn_at = self._drawn_at is None, step
        model = unwrapped(runner.model)
        names = [name for name in self._names(model) if first or name != lidar_on_images.NAME]
        options = dict(stride=self.stride, max_points=self.max_points, state=f'iteration {step}')
        with undisturbed(model):
            for seed in (random.seed, np.random.seed, torch.manual_seed):
                seed(0)  # a dataset that augments shows the same view every time
            for index in self.frames:
                batch = single_batch(model, self._dataset(runner), index)
                for name, picture in pictures_of(model, batch, names, **options).items():
                    runner.visualizer.add_image(f'frame{index}_{name}', to_pixels(draw(picture)), step)

    def _names(self, model: nn.Module) -> List[str]:
        known = known_pictures(model)
        unknown = sorted(set(self.figures or ()) - set(known))
        if unknown:
            raise ConfigError(
                f'PretrainVisualizationHook: {type(model).__name__} has no pictures {unknown}; choose from {known}'
            )
        if self.figures is not None:
            return list(self.figures)
        return [name for name in known if name not in getattr(model, 'pictures_on_request', ())]

    def _dataset(self, runner: Runner):
        loop = runner.val_loop if self.dataset == 'val' else runner.train_loop
        return loop.dataloader.dataset
