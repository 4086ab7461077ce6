# Waymo on two CPU cores: small encoders, larger voxels, small images.
#   python tools/train.py projects/CLAP/configs/clap_waymo_small.py
_base_ = [
    '../../../configs/_base_/datasets/waymo.py',
    '../../../configs/_base_/models/clap_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

image_size = [160, 352]
model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range, voxel_size=[0.2, 0.2, 0.15]),
    view_transform=dict(image_size=image_size, dbound=[1.0, 76.0, 1.0]),
)
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(pipeline=dict(image_aug=dict(final_dim=image_size, resize_lim=[0.184, 0.22]))),
)
val_dataloader = dict(
    num_workers=2, dataset=dict(pipeline=dict(image_aug=dict(final_dim=image_size, resize_lim=[0.184, 0.184])))
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-3))
