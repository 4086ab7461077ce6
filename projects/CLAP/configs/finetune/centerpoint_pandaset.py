# CenterPoint on PandaSet, LiDAR alone, three merged classes. A share of the labels:
# train_dataloader.dataset.load_interval=20 is 5 %.
_base_ = [
    '../../../../configs/_base_/datasets/pandaset.py',
    '../../../../configs/_base_/models/centerpoint_small.py',
    '../../../../configs/_base_/schedules/det_small.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range), bbox_head=dict(num_classes=len(_base_.three_classes))
)
train_dataloader = _base_.lidar_detection.train_dataloader
val_dataloader = _base_.lidar_detection.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.lidar_detection.val_evaluator
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=60, val_interval=60)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5))
log_processor = dict(window_size=10)
