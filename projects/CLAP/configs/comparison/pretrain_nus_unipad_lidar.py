# Row 1 of the paper's Table 4, the LiDAR half: UniPAD-style pre-training of the LiDAR branch alone, see
# pretrain_sim_unipad_lidar.py. The LiDAR map has as many channels as the fused one, 256.
_base_ = '../unipad_nus.py'

model = dict(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None)
