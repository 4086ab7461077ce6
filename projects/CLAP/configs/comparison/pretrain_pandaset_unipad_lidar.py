# Row 1 of the paper's Table 4, the LiDAR half: UniPAD-style pre-training of the LiDAR branch alone, which renders
# ranges and no colour (UniPAD's weight of colour is 0 for LiDAR). It owns pts_middle_encoder, pts_backbone, pts_neck;
# the LiDAR map comes as it is, with as many channels as the fused one has in the detector.
_base_ = './pretrain_pandaset_joint_depth.py'

model = dict(
    img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, pts_backbone=dict(in_channels=64)
)
