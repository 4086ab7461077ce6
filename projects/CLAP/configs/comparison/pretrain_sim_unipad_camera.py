# Row 1 of the paper's Table 4, the camera half: UniPAD-style pre-training of the camera branch alone, which renders
# ranges and colours. It owns img_backbone, img_neck, view_transform, and a pts_backbone and pts_neck of its own on the
# narrower camera map, which no detector with LiDAR can use.
_base_ = './pretrain_sim_joint_depth.py'

model = dict(pts_middle_encoder=None, fusion_layer=None, pts_backbone=dict(in_channels=32))
