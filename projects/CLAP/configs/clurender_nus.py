# CluRender on nuScenes: J = 64 clusters, epsilon 1e-3 in 20 rounds, omega 0.01, discs of 4 pixels, 128 points a pixel,
# lambda 0.5, AdamW at 1e-3 as in the paper, which has no driving frames.
#   tools/dist_train.sh projects/CLAP/configs/clurender_nus.py 8
_base_ = ['../../../configs/_base_/methods_nus.py', '../../../configs/_base_/models/lidar_voxel0075.py']

model = dict(
    type='CluRender',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    cluster_head=dict(type='ClusterHead'),
    splat_head=dict(type='SplatHead', loss_weight=6.0),  # the sum over the six views, as printed
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
