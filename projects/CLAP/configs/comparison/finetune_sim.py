# The detector of the comparison: bevfusion_sim_100pct.py, whose frames, order and augmentation follow from the seed
# alone, so that arms of the same seed see the same, resumed or not. Input as in pretrain_sim_clap.py.
_base_ = ['../finetune/bevfusion_sim_100pct.py', '../../../../configs/_base_/comparison_size.py']

point_cloud_range, image_size = _base_.smaller.point_cloud_range, _base_.smaller.image_size
model = _base_.smaller.model
train_dataloader = dict(
    dataset=dict(pipeline=dict(**_base_.smaller.train_pipeline, object_range=dict(point_cloud_range=point_cloud_range)))
)
val_dataloader = dict(dataset=dict(pipeline=_base_.smaller.val_pipeline))
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))
vis_backends = _base_.smaller.vis_backends
visualizer = dict(vis_backends=vis_backends)
