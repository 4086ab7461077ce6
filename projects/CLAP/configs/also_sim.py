# ALSO on the simulated world, minutes on two CPU cores.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/also_sim.py
_base_ = ['../../../configs/_base_/methods_sim.py', '../../../configs/_base_/models/lidar_small.py']

model = dict(type='ALSO', voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))

lidar = dict(modality=dict(use_lidar=True, use_camera=False), pipeline=dict(images=None, image_aug=None))
train_dataloader = dict(dataset=lidar)
val_dataloader = dict(dataset=lidar)
test_dataloader = val_dataloader
del lidar
