"""What would fail later is looked for before the first step."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

from mmdet3d.registry import HOOKS
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from ...datasets import check_dataset
from ...errors import CheckpointError, CLAPError, ConfigError, DataError
from ..shared_memory import check_shared_memory
from ..unwrapped import unwrapped


@HOOKS.register_module()
class DatasetCheckHook(Hook):
    """Asks of data, model and metrics, before anything runs, what would end a run hours later.

    - Training: a few frames of the training set and one of the evaluation set are loaded. Do points lie in the range,
      does the calibration project any into an image? The log gets each camera's share. Do the batches in waiting fit
      into shared memory?
    - Evaluation: every metric that has a ``check(dataset, model)`` is asked whether it could be computed.
    - Classes: as many as the head has, and for a checkpoint that is tested or resumed those it was trained with.

    Files and sizes are checked when the dataset is built. One process looks; if it finds something, all stop.

    Args:
        num_frames: training frames to look at.
    """

    def __init__(self, num_frames: int = 2) -> None:
        self.num_frames = num_frames
        self._trained_classes: Optional[Sequence[str]] = None

    def before_run(self, runner: Runner) -> None:
        """Whether the evaluations of this run can be computed; :class:`CLAPError` with the cause and the way out."""
        _on_all_ranks(lambda: self._check_evaluations(runner))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Classes that the checkpoint's head was trained with; those of a resumed run must be the same."""
        meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
        self._trained_classes = ((meta or {}).get('dataset_meta') or {}).get('classes')
        if runner._resume:
            self._check_classes(runner, runner.train_dataloader.dataset, 'train_dataloader')

    def before_train(self, runner: Runner) -> None:
        """Look at frames and at the memory for batches; :class:`CLAPError` with the cause and the way out."""
        _on_all_ranks(lambda: self._check_frames(runner))

    def _check_evaluations(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        if isinstance(runner._train_loop, BaseLoop):
            self._check_number_of_classes(model, runner._train_loop.dataloader.dataset, 'train_dataloader')
        for name, loop in (('val', runner._val_loop), ('test', runner._test_loop)):
            if not isinstance(loop, BaseLoop):
                continue
            dataset = loop.dataloader.dataset
            self._check_number_of_classes(model, dataset, f'{name}_dataloader')
            if not isinstance(runner._train_loop, BaseLoop):
                self._check_classes(runner, dataset, f'{name}_dataloader')
            for metric in loop.evaluator.metrics:
                if hasattr(metric, 'check'):
                    metric.check(dataset, model)

    def _check_number_of_classes(self, model: Any, dataset: Any, name: str) -> None:
        count, classes = _head_classes(model), _classes(dataset)
        if count is not None and classes is not None and count != len(classes):
            raise ConfigError(
                f'the head has {count} classes, the data set of {name} has {len(classes)}: {", ".join(classes)}. Set '
                'metainfo.classes of the data set, or num_classes of the head'
            )

    def _check_classes(self, runner: Runner, dataset: Any, name: str) -> None:
        now, was = _classes(dataset), self._trained_classes
        if _head_classes(unwrapped(runner.model)) is not None and now and was and list(now) != list(was):
            raise CheckpointError(
                f'the checkpoint was trained with the classes {", ".join(was)}, in this order; {name}.dataset has '
                f'{", ".join(now)}: labels would be taken for each other. Give the configuration that it was trained '
                'with'
            )

    def _check_frames(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        cfg = model.voxelize_cfg
        loaders = [('train_dataloader', runner.train_dataloader, self.num_frames, cfg['max_voxels'][0])]
        if runner.val_loop is not None:
            loaders.append(('val_dataloader', runner.val_dataloader, 1, cfg['max_voxels'][1]))
        for name, loader, count, most in loaders:
            voxels = dict(cfg, max_voxels=most) if model.has_lidar else None
            reports = check_dataset(loader.dataset, count, cfg['point_cloud_range'], voxels, model.in_grid)
            for remark in dict.fromkeys(remark for report in reports for remark in report.remarks):
                runner.logger.warning(f'frame check of {name}: {remark}')
            for report in reports:
                cameras = ', '.join(f'{camera} {share:.2f}' for camera, share in report.visible.items())
                runner.logger.info(
                    f'frame check: {report.num_points} points, {report.in_range:.0%} in range, share of the '
                    f'keyframe in each image: {cameras or "no cameras"}'
                )
            check_shared_memory(loader, max(report.num_bytes for report in reports), name)


def _head_classes(model: Any) -> Optional[int]:
    return getattr(getattr(model, 'bbox_head', None), 'num_classes', None)


def _classes(dataset: Any) -> Optional[Sequence[str]]:
    return (getattr(dataset, 'metainfo', None) or {}).get('classes')


def _on_all_ranks(look: Callable[[], None]) -> None:
    """Look on the first process; what it finds stops the others too, which would wait for it."""
    found: list = [None]
    if is_main_process():
        try:
            look()
        except CLAPError as error:
            found = [error]
    told = [str(found[0]) if found[0] is not None else '']
    broadcast_object_list(told)
    if found[0] is not None:
        raise found[0]
    if told[0]:
        raise DataError(told[0])
