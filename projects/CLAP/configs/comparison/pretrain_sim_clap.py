# Full CLAP on the simulated world; the other pre-trainings of the comparison change one thing of it each.
_base_ = ['../clap_sim.py', '../../../../configs/_base_/comparison_size.py']

point_cloud_range, image_size = _base_.smaller.point_cloud_range, _base_.smaller.image_size
model = dict(
    **_base_.smaller.model,
    render_head=dict(num_samples=48, num_upsamples=16),
    ray_sampler=dict(num_lidar_rays=768, num_camera_rays=48, min_range_m=1.0),
    prototype_head=dict(normalization='entries', temperature=0.1, swav_weight=1.0),  # as the comparisons were run
)
train_dataloader = dict(dataset=dict(pipeline=_base_.smaller.train_pipeline))
# Labels for RenderMetric's figures on objects alone.
val_dataloader = dict(dataset=dict(pipeline=_base_.smaller.val_pipeline, with_annotations=True))
test_dataloader = val_dataloader
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(max_keep_ckpts=2),
    warmup=dict(warmup_epochs=2),
    unmasked_norm=dict(num_frames=32, interval=100),
    pictures=None,
)
vis_backends = _base_.smaller.vis_backends
visualizer = dict(vis_backends=vis_backends)
