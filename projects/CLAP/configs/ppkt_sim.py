# PPKT on the simulated world, minutes on two CPU cores. docs/methods/ppkt.md
#   python tools/train.py projects/CLAP/configs/ppkt_sim.py
_base_ = [
    '../../../configs/_base_/datasets/sim.py',
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
val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=8, val_interval=4)
default_hooks = dict(logger=dict(interval=5), unmasked_norm=dict(num_frames=12, interval=4), pictures=dict(interval=60))
log_processor = dict(window_size=10)
