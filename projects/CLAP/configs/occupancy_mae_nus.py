# Occupancy-MAE on nuScenes: the release's highest learning rate, the paper's masking (the class' defaults). The release
# trains for 20 to 30 one-cycle epochs, batches of 4; here the schedule is CLAP's, so that methods compare.
#   tools/dist_train.sh projects/CLAP/configs/occupancy_mae_nus.py 8
_base_ = ['../../../configs/_base_/methods_nus.py', '../../../configs/_base_/models/lidar_voxel0075.py']

model = dict(
    type='OccupancyMAE',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    pts_backbone=None,  # the sparse encoder alone is trained
    pts_neck=None,
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))

train_dataloader = dict(dataset=_base_.lidar_alone)
val_dataloader = dict(dataset=_base_.lidar_alone)
test_dataloader = val_dataloader
