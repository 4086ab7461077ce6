# Full CLAP on the training frames of PandaSet, at the size of the simulated comparison; the detector's val frames stay
# unseen. The other pre-trainings of the comparison change one thing of it each.
_base_ = ['./pretrain_sim_clap.py']

data_root = '{{$CLAP_DATA_ROOT:data}}/pandaset/'
point_cloud_range = [-36.0, -36.0, -5.0, 36.0, 36.0, 3.0]
image_size = [64, 160]  # from 1080 x 1920
load_points = [
    dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
    dict(type='CLAPLoadMultiViewImages'),
]
augment = [
    dict(
        type='CLAPImageAug3D',
        final_dim=image_size,
        resize_lim=[0.0834, 0.0934],
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
    dict(type='CLAPImageAug3D', final_dim=image_size, resize_lim=[0.088, 0.088], is_train=False),
    dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='CLAPPackInputs'),
]
frames = dict(
    data_root=data_root,
    ann_file='pandaset_infos_train.pkl',
    data_prefix=dict(_delete_=True, pts='lidar', sweeps='lidar', img=''),
)
train_dataloader = dict(
    dataset=dict(pipeline=[*load_points, *augment, dict(type='PointShuffle'), dict(type='CLAPPackInputs')], **frames)
)
# Held-back rays of the training frames: there are no others.
val_dataloader = dict(dataset=dict(pipeline=val_pipeline, **frames))
test_dataloader = val_dataloader
# Six steps an epoch.
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='SamplingWarmupHook', warmup_epochs=20),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
    dict(type='UnmaskedNormHook', num_frames=12, interval=100),
    dict(type='RunRecordHook'),
]
default_hooks = dict(checkpoint=dict(interval=10))
