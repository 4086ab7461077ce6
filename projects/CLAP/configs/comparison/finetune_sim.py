# The detector of the comparison: bevfusion_sim_100pct.py, whose frames, order and augmentation follow from the seed
# alone, so that arms of the same seed see the same, resumed or not. Input as in pretrain_sim_clap.py.
_base_ = ['../finetune/bevfusion_sim_100pct.py']

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
train_dataloader = dict(dataset=dict(keep_length=True, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
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
    bbox_head=dict(point_cloud_range=point_cloud_range),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))
# TensorBoard's import takes seconds of every run.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends, name='visualizer')
