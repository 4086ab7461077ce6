# The simulated driving world with labels, for the detector: the pipelines of clap_sim.py plus boxes, and the
# official nuScenes metric on the whole of the val scenes.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with sim/ in it).
data_root = '{{$CLAP_DATA_ROOT:data}}/sim/'
point_cloud_range = [-54.0, -54.0, -5.0, 54.0, 54.0, 3.0]
class_names = [  # BEVFusion's order: the small classes come last
    'car',
    'truck',
    'construction_vehicle',
    'bus',
    'trailer',
    'barrier',
    'motorcycle',
    'bicycle',
    'pedestrian',
    'traffic_cone',
]
metainfo = dict(classes=class_names)
image_size = [128, 352]  # from 225 x 400
data_prefix = dict(
    pts='samples/LIDAR_TOP',
    sweeps='sweeps/LIDAR_TOP',
    CAM_FRONT='samples/CAM_FRONT',
    CAM_FRONT_RIGHT='samples/CAM_FRONT_RIGHT',
    CAM_FRONT_LEFT='samples/CAM_FRONT_LEFT',
    CAM_BACK='samples/CAM_BACK',
    CAM_BACK_LEFT='samples/CAM_BACK_LEFT',
    CAM_BACK_RIGHT='samples/CAM_BACK_RIGHT',
)

train_pipeline = [
    dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
    dict(
        type='LoadPointsFromMultiSweeps',
        sweeps_num=4,
        load_dim=5,
        use_dim=[0, 1, 2, 3, 4],
        pad_empty_sweeps=True,
        remove_close=True,
    ),
    dict(type='CLAPLoadMultiViewImages'),
    dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    dict(
        type='CLAPImageAug3D',
        final_dim=image_size,
        resize_lim=[0.84, 1.0],
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
    dict(type='ObjectRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='ObjectNameFilter', classes=class_names),
    dict(type='PointShuffle'),
    dict(type='CLAPPackInputs', keys=['points', 'img', 'gt_bboxes_3d', 'gt_labels_3d']),
]
# The same without chance and without labels.
val_pipeline = [
    dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
    dict(
        type='LoadPointsFromMultiSweeps',
        sweeps_num=4,
        load_dim=5,
        use_dim=[0, 1, 2, 3, 4],
        pad_empty_sweeps=True,
        remove_close=True,
        test_mode=True,
    ),
    dict(type='CLAPLoadMultiViewImages'),
    dict(type='CLAPImageAug3D', final_dim=image_size, resize_lim=[0.88, 0.88], is_train=False),
    dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='CLAPPackInputs', keys=['points', 'img']),
]

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        type='CLAPDataset',
        data_root=data_root,
        ann_file='sim_infos_train.pkl',
        data_prefix=data_prefix,
        metainfo=metainfo,
        with_annotations=True,
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
        ann_file='sim_infos_val.pkl',
        data_prefix=data_prefix,
        metainfo=metainfo,
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CLAPNuScenesMetric', data_root=data_root, ann_file=data_root + 'sim_infos_val.pkl')
test_evaluator = val_evaluator
