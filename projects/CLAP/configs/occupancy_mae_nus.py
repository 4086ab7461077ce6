# Occupancy-MAE on nuScenes: the release's highest learning rate, the paper's masking (the class' defaults). The release
# trains for 20 to 30 one-cycle epochs, batches of 4; here the schedule is CLAP's, so that methods compare.
#   tools/dist_train.sh projects/CLAP/configs/occupancy_mae_nus.py 8
_base_ = [
    '../../../configs/_base_/datasets/nus.py',
    '../../../configs/_base_/models/lidar_voxel0075.py',
    '../../../configs/_base_/schedules/clap_12e.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(
    type='OccupancyMAE',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    pts_backbone=None,  # the sparse encoder alone is trained
    pts_neck=None,
)

lidar = dict(modality=dict(use_lidar=True, use_camera=False), pipeline=dict(images=None, image_aug=None))
train_dataloader = dict(dataset=lidar)
val_dataloader = dict(dataset=lidar)
test_dataloader = val_dataloader
val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=3e-3))
default_hooks = dict(warmup=None)
del lidar
