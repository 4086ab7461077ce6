# Run A of docs/results/curvature.md: LiDAR alone, no prototypes, an SDF held metric near the surface, half of the
# points masked. 11 frames train, 3 are held out.
_base_ = './clap_pandaset_holdout.py'

model = dict(
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    prototype_head=None,
    masking=dict(point_ratio=0.5),
    render_head=dict(near_surface_weight=1.0, free_space_weight=0.2, truncation_m=1.0),
    ray_sampler=dict(_delete_=True, type='UniformRaySampler', num_lidar_rays=2048, num_camera_rays=0, min_range_m=1.0),
)

train_dataloader = dict(dataset=_base_.lidar_alone)
val_dataloader = dict(dataset=_base_.lidar_alone)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=40, val_interval=10)
default_hooks = dict(
    logger=dict(interval=11),
    checkpoint=dict(interval=10),
    warmup=None,
    unmasked_norm=None,
    run_record=None,
    pictures=None,
)
