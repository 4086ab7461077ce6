# CenterPoint on the LiDAR's part of encoder_small.py, at a size that trains on two CPU cores.
_base_ = './encoder_small.py'

model = dict(
    type='CLAPCenterPoint',
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    bbox_head=dict(type='CLAPCenterHead', in_channels=128, out_size_factor=8, shared_channels=32, head_channels=32),
)
