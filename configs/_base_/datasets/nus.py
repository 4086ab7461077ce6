# nuScenes: keyframe + 9 sweeps, six cameras, BEVFusion's augmentation, for pre-training (no labels); `detection` holds
# what a detector adds. Steps of a pipeline have names and run in this order; None leaves one out.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with nuscenes/ in it).
data_root = '{{$CLAP_DATA_ROOT:data}}/nuscenes/'
point_cloud_range = [-54.0, -54.0, -5.0, 54.0, 54.0, 3.0]
image_size = [256, 704]  # from 900 x 1600
class_names = [  # BEVFusion's order: the small classes come last
    'car', 'truck', 'construction_vehicle', 'bus', 'trailer', 'barrier', 'motorcycle', 'bicycle', 'pedestrian',
    'traffic_cone',
]  # fmt: skip

# nuScenes-lidarseg's sixteen classes of points.
semantic_classes = dict(
    barrier=['movable_object.barrier'],
    bicycle=['vehicle.bicycle'],
    bus=['vehicle.bus.bendy', 'vehicle.bus.rigid'],
    car=['vehicle.car'],
    construction_vehicle=['vehicle.construction'],
    motorcycle=['vehicle.motorcycle'],
    pedestrian=[
        'human.pedestrian.adult',
        'human.pedestrian.child',
        'human.pedestrian.construction_worker',
        'human.pedestrian.police_officer',
    ],
    traffic_cone=['movable_object.trafficcone'],
    trailer=['vehicle.trailer'],
    truck=['vehicle.truck'],
    driveable_surface=['flat.driveable_surface'],
    other_flat=['flat.other'],
    sidewalk=['flat.sidewalk'],
    terrain=['flat.terrain'],
    manmade=['static.manmade'],
    vegetation=['static.vegetation'],
)

train = dict(
    points=dict(type='CLAPLoadKeyframe', load_dim=5, use_dim=[0, 1, 2, 3, 4]),
    sweeps=dict(
        type='CLAPLoadSweeps',
        sweeps_num=9,
        load_dim=5,
        use_dim=[0, 1, 2, 3, 4],
        pad_empty_sweeps=True,
        remove_close=True,
    ),
    images=dict(type='CLAPLoadMultiViewImages'),
    labels=None,
    image_aug=dict(
        type='CLAPImageAug3D',
        final_dim=image_size,
        resize_lim=[0.38, 0.55],
        bot_pct_lim=[0.0, 0.0],
        rot_lim=[-5.4, 5.4],
        rand_flip=True,
        is_train=True,
    ),
    superpixels=None,
    lidar_aug=dict(
        type='CLAPGlobalRotScaleTrans',
        rot_range=[-0.78539816, 0.78539816],
        scale_ratio_range=[0.9, 1.1],
        translation_std=[0.5, 0.5, 0.5],
    ),
    flip=dict(type='CLAPRandomFlip3D', flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
    point_range=dict(type='PointsRangeFilter', point_cloud_range=point_cloud_range),
    object_range=None,
    object_names=None,
    shuffle=dict(type='PointShuffle'),
    pack=dict(type='CLAPPackInputs'),
)
# The same without chance: for rendered ranges of frames that were not trained on, and for boxes.
val = dict(
    train,
    sweeps=dict(train['sweeps'], test_mode=True),
    image_aug=dict(type='CLAPImageAug3D', final_dim=image_size, resize_lim=[0.48, 0.48], is_train=False),
    lidar_aug=None,
    flip=None,
    shuffle=None,
)
frames = dict(
    type='CLAPDataset',
    data_root=data_root,
    data_prefix=dict(
        pts='samples/LIDAR_TOP',
        sweeps='sweeps/LIDAR_TOP',
        semantic='lidarseg',
        CAM_FRONT='samples/CAM_FRONT',
        CAM_FRONT_RIGHT='samples/CAM_FRONT_RIGHT',
        CAM_FRONT_LEFT='samples/CAM_FRONT_LEFT',
        CAM_BACK='samples/CAM_BACK',
        CAM_BACK_LEFT='samples/CAM_BACK_LEFT',
        CAM_BACK_RIGHT='samples/CAM_BACK_RIGHT',
    ),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(frames, ann_file='nuscenes_infos_train.pkl', pipeline=train),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(frames, ann_file='nuscenes_infos_val.pkl', pipeline=val, test_mode=True),
)
test_dataloader = val_dataloader

metainfo = dict(classes=class_names)
detection = dict(
    train_dataloader=dict(
        dataset=dict(
            metainfo=metainfo,
            with_annotations=True,
            keep_length=True,  # a share of the labels (load_interval) repeats, to keep the number of iterations
            pipeline=dict(
                labels=dict(_delete_=True, type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
                object_range=dict(_delete_=True, type='ObjectRangeFilter', point_cloud_range=point_cloud_range),
                object_names=dict(_delete_=True, type='ObjectNameFilter', classes=class_names),
                pack=dict(keys=['points', 'img', 'gt_bboxes_3d', 'gt_labels_3d']),
            ),
        )
    ),
    val_dataloader=dict(dataset=dict(metainfo=metainfo, pipeline=dict(pack=dict(keys=['points', 'img'])))),
    val_evaluator=dict(type='CLAPNuScenesMetric', data_root=data_root, ann_file=data_root + 'nuscenes_infos_val.pkl'),
)
# What a data set of methods without cameras changes.
lidar_alone = dict(modality=dict(use_lidar=True, use_camera=False), pipeline=dict(images=None, image_aug=None))
# Boxes of three merged classes from the LiDAR alone, measured by nuScenes' matching without its tables.
three_classes = dict(
    vehicle=['car', 'truck', 'bus', 'trailer', 'construction_vehicle'],
    pedestrian=['pedestrian'],
    cyclist=['bicycle', 'motorcycle'],
)
boxes = dict(
    metainfo=dict(classes=list(three_classes)),
    merged_classes=three_classes,
    with_annotations=True,
    modality=dict(use_lidar=True, use_camera=False),
)
lidar_detection = dict(
    train_dataloader=dict(
        dataset=dict(
            boxes,
            keep_length=True,
            pipeline=dict(
                images=None,
                image_aug=None,
                labels=dict(_delete_=True, type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
                object_range=dict(_delete_=True, type='ObjectRangeFilter', point_cloud_range=point_cloud_range),
                object_names=dict(_delete_=True, type='ObjectNameFilter', classes=list(three_classes)),
                pack=dict(keys=['points', 'gt_bboxes_3d', 'gt_labels_3d']),
            ),
        )
    ),
    val_dataloader=dict(dataset=dict(boxes, pipeline=dict(images=None, image_aug=None, pack=dict(keys=['points'])))),
    val_evaluator=dict(
        type='CLAPInfoMetric',
        ann_file=data_root + 'nuscenes_infos_val.pkl',
        classes=list(three_classes),
        merged_classes=three_classes,
    ),
)
labelled_points = dict(
    semantic_classes=semantic_classes,
    modality=dict(use_lidar=True, use_camera=False),
    pipeline=dict(
        images=None,
        image_aug=None,
        pack=dict(keys=['points', 'keyframe_points', 'keyframe_origins', 'pts_semantic_mask']),
    ),
)
segmentation = dict(
    train_dataloader=dict(dataset=dict(labelled_points, keep_length=True)),
    val_dataloader=dict(dataset=labelled_points),
    val_evaluator=dict(type='CLAPSegMetric', classes=list(semantic_classes)),
)
del train, val, frames, metainfo, boxes, labelled_points  # parts, no keys of a configuration
