# LiDAR segmentation in the simulated world, classes of nuScenes-lidarseg; load_from=FILE starts its encoder.
_base_ = [
    '../../../../configs/_base_/datasets/sim.py',
    '../../../../configs/_base_/models/segmentor_small.py',
    '../../../../configs/_base_/schedules/det_small.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range), num_classes=len(_base_.semantic_classes))
train_dataloader = _base_.segmentation.train_dataloader
val_dataloader = _base_.segmentation.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.segmentation.val_evaluator
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=12, val_interval=12)
default_hooks = dict(logger=dict(interval=10))
log_processor = dict(window_size=10)
