# The segmentor on the LiDAR encoder of encoder_small.py, at a size that trains on two CPU cores.
_base_ = './encoder_small.py'

model = dict(
    type='CLAPSegmentor',
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    pts_backbone=None,
    pts_neck=None,
    decoder_channels=(32, 16, 16),
)
