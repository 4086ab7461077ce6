# The detector on real PandaSet frames with all labels; the smaller shares build on this file.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
_base_ = [
    '../../../../configs/_base_/datasets/pandaset.py',
    '../../../../configs/_base_/models/bevfusion_small.py',
    '../../../../configs/_base_/schedules/det_small.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=_base_.image_size),
    bbox_head=dict(num_classes=len(_base_.class_names)),
)
train_dataloader = _base_.detection.train_dataloader
val_dataloader = _base_.detection.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.detection.val_evaluator
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=60, val_interval=60)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5))
log_processor = dict(window_size=10)
