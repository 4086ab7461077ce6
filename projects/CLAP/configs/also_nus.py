# ALSO on nuScenes: the release's learning rate and queries (the class' defaults). Its detector trains for 100 epochs at
# this rate without decay, batches of 8; here the schedule is CLAP's, so that methods compare.
#   tools/dist_train.sh projects/CLAP/configs/also_nus.py 8
_base_ = [
    '../../../configs/_base_/datasets/nus.py',
    '../../../configs/_base_/models/lidar_voxel0075.py',
    '../../../configs/_base_/schedules/clap_12e.py',
    '../../../configs/_base_/default_runtime.py',
]

model = dict(type='ALSO', voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))

lidar = dict(modality=dict(use_lidar=True, use_camera=False), pipeline=dict(images=None, image_aug=None))
train_dataloader = dict(dataset=lidar)
val_dataloader = dict(dataset=lidar)
test_dataloader = val_dataloader
val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=1e-3))
default_hooks = dict(warmup=None)
del lidar
