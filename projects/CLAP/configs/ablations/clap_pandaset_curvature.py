# Run A of docs/curvature.md: LiDAR alone, no prototypes, an SDF held metric near the surface, half of the points
# masked. 11 frames train, 3 are held out.
_base_ = ['./clap_pandaset_holdout.py']

model = dict(
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    prototype_head=None,
    masking=dict(point_ratio=0.5),
    render_head=dict(near_surface_weight=1.0, free_space_weight=0.2, truncation_m=1.0),
    ray_sampler=dict(_delete_=True, type='UniformRaySampler', num_lidar_rays=2048, num_camera_rays=0),
)

range_filter = dict(type='PointsRangeFilter', point_cloud_range=[-54.0, -54.0, -5.0, 54.0, 54.0, 3.0])
lidar_only = dict(use_lidar=True, use_camera=False)
train_dataloader = dict(
    dataset=dict(
        modality=lidar_only,
        pipeline=[
            dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
            dict(
                type='CLAPGlobalRotScaleTrans',
                rot_range=[-0.78539816, 0.78539816],
                scale_ratio_range=[0.9, 1.1],
                translation_std=[0.0, 0.0, 0.0],
            ),
            dict(type='CLAPRandomFlip3D', flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
            range_filter,
            dict(type='PointShuffle'),
            dict(type='CLAPPackInputs'),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        modality=lidar_only,
        pipeline=[
            dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
            range_filter,
            dict(type='CLAPPackInputs'),
        ],
    )
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=40, val_interval=10)
default_hooks = dict(logger=dict(interval=11), checkpoint=dict(interval=10))
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
]
