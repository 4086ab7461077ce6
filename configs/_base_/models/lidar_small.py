# The LiDAR encoders of encoder_small.py, for methods and models without cameras.
_base_ = './encoder_small.py'

model = dict(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None)
