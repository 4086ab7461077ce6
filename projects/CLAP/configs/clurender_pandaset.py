# CluRender on real recordings and two CPU cores: the LiDAR encoders by soft clusters and by colours in six cameras.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/train.py projects/CLAP/configs/clurender_pandaset.py
_base_ = ['../../../configs/_base_/methods_pandaset.py', '../../../configs/_base_/models/clurender_small.py']

model = dict(voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))
# Purity of the clusters is measured where points have classes; nothing is trained on them.
labelled_keys = ['points', 'img', 'keyframe_points', 'keyframe_origins', 'pts_semantic_mask']
val_dataloader = dict(
    dataset=dict(semantic_classes=_base_.semantic_classes, pipeline=dict(pack=dict(keys=labelled_keys)))
)
test_dataloader = val_dataloader
del labelled_keys
