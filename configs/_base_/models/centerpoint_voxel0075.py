# CenterPoint on the paper's LiDAR encoder and BEV encoder (voxels of 0.075 m unless a leaf says otherwise). With the
# camera's parts of encoder_voxel0075_swint.py and its fusion_layer, the same head reads the fused BEV.
_base_ = './encoder_voxel0075_swint.py'

model = dict(
    type='CLAPCenterPoint',
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    bbox_head=dict(type='CLAPCenterHead', in_channels=512, out_size_factor=8),
)
