# The detector on the simulated world with all labels; the smaller shares build on this file.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/clap_sim.py
#   python tools/export_weights.py work_dirs/clap_sim/epoch_8.pth encoders.pth
#   python tools/train.py projects/CLAP/configs/finetune/bevfusion_sim_100pct.py \
#     --cfg-options load_from=encoders.pth
_base_ = [
    '../../../../configs/_base_/datasets/sim.py',
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

train_cfg = dict(max_epochs=12, val_interval=12)
default_hooks = dict(logger=dict(interval=10))
log_processor = dict(window_size=10)
