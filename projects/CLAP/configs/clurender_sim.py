# CluRender on the simulated world, on two CPU cores: the LiDAR encoders by soft clusters and by colours in six cameras.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/clurender_sim.py
_base_ = ['../../../configs/_base_/methods_sim.py', '../../../configs/_base_/models/clurender_small.py']

model = dict(voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
# Purity of the clusters is measured where points have classes; nothing is trained on them.
labelled_keys = ['points', 'img', 'keyframe_points', 'keyframe_origins', 'pts_semantic_mask']
val_dataloader = dict(
    dataset=dict(semantic_classes=_base_.semantic_classes, pipeline=dict(pack=dict(keys=labelled_keys)))
)
test_dataloader = val_dataloader
del labelled_keys
