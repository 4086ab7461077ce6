# ALSO on the simulated world, minutes on two CPU cores.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/also_sim.py
_base_ = [
    '../../../configs/_base_/datasets/sim.py',
    '../../../configs/_base_/models/lidar_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(type='ALSO', voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))

lidar = dict(modality=dict(use_lidar=True, use_camera=False), pipeline=dict(images=None, image_aug=None))
train_dataloader = dict(dataset=lidar)
val_dataloader = dict(dataset=lidar)
test_dataloader = val_dataloader
val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=8, val_interval=4)
default_hooks = dict(
    logger=dict(interval=5),
    warmup=None,
    unmasked_norm=dict(num_frames=12, interval=4),
    pictures=dict(interval=60),
)
log_processor = dict(window_size=10)
del lidar
