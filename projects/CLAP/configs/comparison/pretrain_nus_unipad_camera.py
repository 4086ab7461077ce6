# Row 1 of the paper's Table 4, the camera half: UniPAD-style pre-training of the camera branch alone, see
# pretrain_sim_unipad_camera.py.
_base_ = '../unipad_nus.py'

model = dict(pts_middle_encoder=None, fusion_layer=None, pts_backbone=dict(in_channels=80))
