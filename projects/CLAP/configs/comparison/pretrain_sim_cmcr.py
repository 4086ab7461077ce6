# CMCR on the simulated world at the size of the comparisons; cmcr_ladder.py changes one thing of it each.
_base_ = ['../cmcr_sim.py', '../../../../configs/_base_/comparison_size.py']

point_cloud_range, image_size = _base_.smaller.point_cloud_range, _base_.smaller.image_size
model = {**_base_.smaller.model, 'view_transform': None, 'num_pairs': 512, 'num_supports': 1024, 'num_queries': 1000}
model.update(num_codewords=128)
train_dataloader = dict(dataset=dict(pipeline=_base_.smaller.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.smaller.val_pipeline))
test_dataloader = val_dataloader
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(max_keep_ckpts=2),
    gradient_share=dict(interval=50),
    unmasked_norm=dict(num_frames=32, interval=100),
    pictures=None,
)
vis_backends = _base_.smaller.vis_backends
visualizer = dict(vis_backends=vis_backends)
