"""A look at a few frames before the first step."""

from __future__ import annotations

from mmdet3d.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...datasets import check_dataset
from ..unwrapped import unwrapped


@HOOKS.register_module()
class DatasetCheckHook(Hook):
    """Loads frames spread over the training set and checks that they make sense.

    Files and sizes are checked when the dataset is built; this hook asks what
    only the numbers can tell: whether points lie in the range, and whether the
    calibration projects any into an image. The log gets each camera's share.

    Args:
        num_frames: frames to look at.
    """

    def __init__(self, num_frames: int = 2) -> None:
        self.num_frames = num_frames

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Check, or raise :class:`DataError` with the cause and the way out."""
        model = unwrapped(runner.model)
        dataset, cfg = runner.train_dataloader.dataset, model.voxelize_cfg
        voxels = cfg if model.has_lidar else None
        reports = check_dataset(dataset, self.num_frames, cfg['point_cloud_range'], voxels)
        for remark in dict.fromkeys(remark for report in reports for remark in report.remarks):
            runner.logger.warning(f'frame check: {remark}')
        for report in reports:
            cameras = ', '.join(f'{name} {share:.2f}' for name, share in report.visible.items())
            runner.logger.info(
                f'frame check: {report.num_points} points, {report.in_range:.0%} in range, share of the '
                f'keyframe in each image: {cameras or "no cameras"}'
            )
