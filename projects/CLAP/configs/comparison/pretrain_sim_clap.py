# Full CLAP on the simulated world; the other pre-trainings of the comparison change one thing of it each. Keyframes
# without further sweeps and small images, so that the whole comparison fits into hours of two CPU cores.
_base_ = ['../clap_sim.py']

point_cloud_range = [-36.0, -36.0, -5.0, 36.0, 36.0, 3.0]
image_size = [64, 160]  # from 144 x 256
# No further sweeps; the transform sets the keyframe's time to 0.
load_points = [
    dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
    dict(type='LoadPointsFromMultiSweeps', sweeps_num=0, load_dim=5, use_dim=[0, 1, 2, 3, 4]),
    dict(type='CLAPLoadMultiViewImages'),
]
augment = [
    dict(
        type='CLAPImageAug3D',
        final_dim=image_size,
        resize_lim=[0.625, 0.7],
        bot_pct_lim=[0.0, 0.0],
        rot_lim=[-5.4, 5.4],
        rand_flip=True,
        is_train=True,
    ),
    dict(
        type='CLAPGlobalRotScaleTrans',
        rot_range=[-0.78539816, 0.78539816],
        scale_ratio_range=[0.9, 1.1],
        translation_std=[0.0, 0.0, 0.0],
    ),
    dict(type='CLAPRandomFlip3D', flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
    dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
]
val_pipeline = [
    *load_points,
    dict(type='CLAPImageAug3D', final_dim=image_size, resize_lim=[0.66, 0.66], is_train=False),
    dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='CLAPPackInputs'),
]
train_dataloader = dict(
    dataset=dict(pipeline=[*load_points, *augment, dict(type='PointShuffle'), dict(type='CLAPPackInputs')])
)
# Labels for RenderMetric's figures on objects alone.
val_dataloader = dict(dataset=dict(pipeline=val_pipeline, with_annotations=True))
test_dataloader = val_dataloader
model = dict(
    voxelize_cfg=dict(point_cloud_range=point_cloud_range),
    pts_middle_encoder=dict(
        sparse_shape=[480, 480, 41],
        # one residual block a stage
        encoder_channels=((8, 16), (16, 32), (32, 48), (48,)),
        encoder_paddings=((0, 1), (0, 1), (0, (1, 1, 0)), (0,)),
    ),
    img_backbone=dict(window_size=4),  # windows of 7 would be mostly padding
    view_transform=dict(
        image_size=image_size,
        feature_size=[8, 20],
        xbound=[-36.0, 36.0, 0.6],
        ybound=[-36.0, 36.0, 0.6],
        dbound=[1.0, 49.0, 2.0],
    ),
    render_head=dict(point_cloud_range=point_cloud_range, num_samples=48, num_upsamples=16),
    ray_sampler=dict(num_lidar_rays=768, num_camera_rays=48),
)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=2))
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='SamplingWarmupHook', warmup_epochs=2),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
    dict(type='UnmaskedNormHook', num_frames=32, interval=100),
    dict(type='RunRecordHook'),
]
# TensorBoard's import takes seconds of every run.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends, name='visualizer')
