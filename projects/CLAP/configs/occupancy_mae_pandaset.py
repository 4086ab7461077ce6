# Occupancy-MAE on PandaSet; the two frames that are measured are not trained on.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/train.py projects/CLAP/configs/occupancy_mae_pandaset.py
_base_ = [
    '../../../configs/_base_/datasets/pandaset.py',
    '../../../configs/_base_/models/lidar_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(
    type='OccupancyMAE',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    pts_backbone=None,  # the sparse encoder alone is trained
    pts_neck=None,
)

lidar = dict(modality=dict(use_lidar=True, use_camera=False), pipeline=dict(images=None, image_aug=None))
train_dataloader = dict(dataset=dict(lidar, ann_file='pandaset_infos_train.pkl'))
val_dataloader = dict(dataset=lidar)
test_dataloader = val_dataloader
val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=40, val_interval=5)
default_hooks = dict(
    logger=dict(interval=6),
    checkpoint=dict(interval=5),
    warmup=None,
    unmasked_norm=dict(num_frames=12, interval=5),
    pictures=dict(interval=120),
)
log_processor = dict(window_size=6)
del lidar
