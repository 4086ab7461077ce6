# Occupancy-MAE on two CPU cores: the sparse encoder of encoder_small.py alone is trained.
_base_ = './lidar_small.py'

model = dict(type='OccupancyMAE', pts_backbone=None, pts_neck=None)
