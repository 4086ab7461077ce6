# Argoverse 2 on two CPU cores: small encoders and small images.
#   python tools/train.py projects/CLAP/configs/clap_argoverse2_small.py
_base_ = [
    '../../../configs/_base_/datasets/argoverse2.py',
    '../../../configs/_base_/models/clap_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

image_size = [128, 160]
model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=image_size),
)
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(pipeline=dict(image_aug=dict(final_dim=image_size, resize_lim=[[0.09, 0.1]] + [[0.083, 0.097]] * 6))),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        pipeline=dict(image_aug=dict(final_dim=image_size, resize_lim=[[0.095, 0.095]] + [[0.083, 0.083]] * 6))
    ),
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-3))
