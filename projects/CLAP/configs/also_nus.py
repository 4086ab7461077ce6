# ALSO on nuScenes: the release's learning rate and queries (the class' defaults). Its detector trains for 100 epochs at
# this rate without decay, batches of 8; here the schedule is CLAP's, so that methods compare.
#   tools/dist_train.sh projects/CLAP/configs/also_nus.py 8
_base_ = ['../../../configs/_base_/methods_nus.py', '../../../configs/_base_/models/lidar_voxel0075.py']

model = dict(type='ALSO', voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))
optim_wrapper = dict(optimizer=dict(lr=1e-3))

train_dataloader = dict(dataset=_base_.lidar_alone)
val_dataloader = dict(dataset=_base_.lidar_alone)
test_dataloader = val_dataloader
