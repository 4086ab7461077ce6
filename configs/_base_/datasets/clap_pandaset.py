# PandaSet for pre-training: the spinning LiDAR's keyframe sweep (64 beams, no earlier sweeps), six cameras, no labels.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with pandaset/ in it).
data_root = '{{$CLAP_DATA_ROOT:data}}/pandaset/'
point_cloud_range = [-54.0, -54.0, -5.0, 54.0, 54.0, 3.0]
image_size = [192, 352]  # from 1080 x 1920
data_prefix = dict(pts='lidar', sweeps='lidar', img='')

train_pipeline = [
    dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
    dict(type='CLAPLoadMultiViewImages'),
    dict(
        type='CLAPImageAug3D',
        final_dim=image_size,
        resize_lim=[0.185, 0.22],
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
    dict(type='PointShuffle'),
    dict(type='CLAPPackInputs'),
]
# The same without chance: for rendered ranges of frames that were not trained on.
val_pipeline = [
    dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
    dict(type='CLAPLoadMultiViewImages'),
    dict(type='CLAPImageAug3D', final_dim=image_size, resize_lim=[0.19, 0.19], is_train=False),
    dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='CLAPPackInputs'),
]

train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        type='CLAPDataset',
        data_root=data_root,
        ann_file='pandaset_infos_all.pkl',  # few frames: all train, and held-back rays of each are measured
        data_prefix=data_prefix,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CLAPDataset',
        data_root=data_root,
        ann_file='pandaset_infos_val.pkl',
        data_prefix=data_prefix,
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
