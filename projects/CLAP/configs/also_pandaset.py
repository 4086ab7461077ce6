# ALSO on PandaSet; the two frames that are measured are not trained on.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/train.py projects/CLAP/configs/also_pandaset.py
_base_ = ['../../../configs/_base_/methods_pandaset.py', '../../../configs/_base_/models/lidar_small.py']

model = dict(type='ALSO', voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))

lidar = dict(modality=dict(use_lidar=True, use_camera=False), pipeline=dict(images=None, image_aug=None))
train_dataloader = dict(dataset=lidar)
val_dataloader = dict(dataset=lidar)
test_dataloader = val_dataloader
del lidar
