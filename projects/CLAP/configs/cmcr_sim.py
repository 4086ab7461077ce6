# CMCR on the simulated world, minutes on two CPU cores.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/cmcr_sim.py
_base_ = [
    '../../../configs/_base_/datasets/sim.py',
    '../../../configs/_base_/models/encoder_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(
    type='CMCR',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=None,  # images stay in the image plane
    fusion_layer=None,
    delta_m=0.5,  # to be told by cells of 1.2 m
    decay=0.99,  # hundreds of steps: codewords must follow faster than the paper's 0.999
    image_weight=10.0,  # as printed, all weights 1, contrast has all of the encoders' gradient
    occupancy_weight=10.0,
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=8, val_interval=4)
default_hooks = dict(
    logger=dict(interval=5),
    warmup=None,
    unmasked_norm=dict(num_frames=12, interval=4),
    pictures=dict(interval=60),
)
log_processor = dict(window_size=10)
