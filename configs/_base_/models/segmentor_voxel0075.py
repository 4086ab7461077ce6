# The segmentor on the paper's LiDAR encoder: a sparse U-Net on voxels of 0.075 m.
_base_ = './encoder_voxel0075_swint.py'

model = dict(
    type='CLAPSegmentor',
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    pts_backbone=None,
    pts_neck=None,
    decoder_channels=(64, 32, 32),
)
