# The LiDAR encoders of encoder_voxel0075_swint.py, for methods and models without cameras.
_base_ = './encoder_voxel0075_swint.py'

model = dict(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None)
