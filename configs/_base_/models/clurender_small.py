# CluRender on the LiDAR encoders of encoder_small.py. One of its two terms alone: model.splat_head=None or
# model.cluster_head=None.
_base_ = './lidar_small.py'

model = dict(
    type='CluRender',
    cluster_head=dict(type='ClusterHead'),
    splat_head=dict(type='SplatHead', loss_weight=6.0),  # the sum over the six views, as printed
)
