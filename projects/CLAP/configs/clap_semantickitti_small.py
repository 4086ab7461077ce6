# The sequences of SemanticKITTI on two CPU cores: small encoders and small images.
#   python tools/train.py projects/CLAP/configs/clap_semantickitti_small.py
_base_ = [
    '../../../configs/_base_/datasets/semantickitti.py',
    '../../../configs/_base_/models/clap_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

image_size = [96, 320]
model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=image_size),
)
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(pipeline=dict(image_aug=dict(final_dim=image_size, resize_lim=[0.265, 0.31]))),
)
val_dataloader = dict(
    num_workers=2, dataset=dict(pipeline=dict(image_aug=dict(final_dim=image_size, resize_lim=[0.265, 0.265])))
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-3))
