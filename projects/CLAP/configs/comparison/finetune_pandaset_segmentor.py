# The segmentor of the comparison on real frames of PandaSet: segmentor_pandaset.py on the encoder, and in the range, of
# pretrain_pandaset_clap.py.
_base_ = [
    '../finetune/segmentor_pandaset.py',
    '../../../../configs/_base_/comparison_size.py',
    '../../../../configs/_base_/datasets/pandaset_merged_classes.py',
]

point_cloud_range = _base_.smaller.point_cloud_range
classes = _base_.merged_classes
model = dict(
    voxelize_cfg=_base_.smaller.model.voxelize_cfg,
    pts_middle_encoder=_base_.smaller.model.pts_middle_encoder,
    num_classes=len(classes) - 1,  # without _delete_
)
cropped = dict(
    dataset=dict(semantic_classes=classes, pipeline=dict(point_range=_base_.smaller.val_pipeline.point_range))
)
train_dataloader = cropped
val_dataloader = cropped
test_dataloader = val_dataloader
val_evaluator = dict(classes=[name for name in classes if name != '_delete_'])
test_evaluator = val_evaluator
vis_backends = _base_.smaller.vis_backends
visualizer = dict(vis_backends=vis_backends)
del cropped, classes
