# PPKT on real recordings and two CPU cores. docs/methods/ppkt.md
#   python tools/train.py projects/CLAP/configs/ppkt_pandaset.py
_base_ = [
    '../../../configs/_base_/datasets/pandaset.py',
    '../../../configs/_base_/models/encoder_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(
    type='PPKT',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=None,
    fusion_layer=None,
)
# What is measured is found on frames that were not trained on.
train_dataloader = dict(dataset=dict(ann_file='pandaset_infos_train.pkl'))
val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=40, val_interval=5)
default_hooks = dict(
    logger=dict(interval=7),
    checkpoint=dict(interval=5),
    unmasked_norm=dict(num_frames=14, interval=5),
    pictures=dict(interval=140),
)
log_processor = dict(window_size=7)
