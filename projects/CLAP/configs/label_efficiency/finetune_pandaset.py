# The detector of the simulated comparison on real frames of PandaSet. nuScenes' average precision from the info file,
# as in bevfusion_pandaset_100pct.py.
_base_ = ['./finetune_sim.py']

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
    dict(type='CLAPPackInputs', keys=['points', 'img']),
]
class_names = [
    'car', 'truck', 'construction_vehicle', 'bus', 'trailer', 'barrier', 'motorcycle', 'bicycle', 'pedestrian',
    'traffic_cone',
]  # fmt: skip
train_pipeline = [
    *load_points,
    dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    *augment,
    dict(type='ObjectRangeFilter', point_cloud_range=point_cloud_range),
    dict(type='ObjectNameFilter', classes=class_names),
    dict(type='PointShuffle'),
    dict(type='CLAPPackInputs', keys=['points', 'img', 'gt_bboxes_3d', 'gt_labels_3d']),
]
frames = dict(data_root=data_root, data_prefix=dict(_delete_=True, pts='lidar', sweeps='lidar', img=''))
train_dataloader = dict(dataset=dict(ann_file='pandaset_infos_train.pkl', pipeline=train_pipeline, **frames))
val_dataloader = dict(dataset=dict(ann_file='pandaset_infos_val.pkl', pipeline=val_pipeline, **frames))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type='CLAPInfoMetric', ann_file=data_root + 'pandaset_infos_val.pkl', classes=class_names
)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(interval=10))
