# ALSO on two CPU cores: the LiDAR branch of encoder_small.py.
_base_ = './lidar_small.py'

model = dict(type='ALSO', delta_m=0.5)  # to be told by cells of 1.2 m
