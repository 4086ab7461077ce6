# CluRender on real recordings and two CPU cores: the LiDAR encoders by soft clusters and by colours in six cameras.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/train.py projects/CLAP/configs/clurender_pandaset.py
_base_ = [
    '../../../configs/_base_/datasets/pandaset.py',
    '../../../configs/_base_/models/encoder_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

# One of the two terms alone: model.splat_head=None or model.cluster_head=None.
model = dict(
    type='CluRender',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    pts_backbone=dict(in_channels=64),
    cluster_head=dict(type='ClusterHead'),
    splat_head=dict(type='SplatHead', loss_weight=6.0),  # the sum over the six views, as printed
)
# Purity of the clusters is measured where points have classes; nothing is trained on them.
labelled_keys = ['points', 'img', 'keyframe_points', 'keyframe_origins', 'pts_semantic_mask']
val_dataloader = dict(
    dataset=dict(semantic_classes=_base_.semantic_classes, pipeline=dict(pack=dict(keys=labelled_keys)))
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='CLAPFigureMetric')
test_evaluator = val_evaluator
del labelled_keys

optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=40, val_interval=5)
default_hooks = dict(
    logger=dict(interval=7),
    checkpoint=dict(interval=5),
    unmasked_norm=dict(num_frames=14, interval=5),
    pictures=dict(interval=140),
)
log_processor = dict(window_size=7)
