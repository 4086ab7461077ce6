# Full CLAP on the simulated world; the other pre-trainings of the comparison change one thing of it each. Keyframes
# without further sweeps and small images, so that the whole comparison fits into hours of two CPU cores.
_base_ = ['../clap_sim.py']

point_cloud_range = [-54.0, -54.0, -5.0, 54.0, 54.0, 3.0]
image_size = [96, 256]  # from 225 x 400
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
        resize_lim=[0.62, 0.72],
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
    view_transform=dict(image_size=image_size, feature_size=[12, 32], dbound=[1.0, 60.0, 2.0]),
    ray_sampler=dict(num_camera_rays=64),
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
