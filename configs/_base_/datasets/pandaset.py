# PandaSet: the spinning LiDAR's keyframe sweep (64 beams, no earlier sweeps), six cameras, no random shift;
# otherwise as nus.py, but for the metric: nuScenes' average precision, computed from the info file, since PandaSet has
# no nuScenes tables.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with pandaset/ in it).
_base_ = './nus.py'

data_root = '{{$CLAP_DATA_ROOT:data}}/pandaset/'
image_size = [192, 352]  # from 1080 x 1920
# PandaSet's forty-two classes of points merged to fourteen; what moves by itself in the air has none.
semantic_classes = dict(
    _delete_=True,
    car=['Car'],
    truck=['Pickup Truck', 'Medium-sized Truck', 'Semi-truck'],
    bus=['Bus'],
    other_vehicle=[
        'Towed Object', 'Other Vehicle - Construction Vehicle', 'Other Vehicle - Uncommon', 'Other Vehicle - Pedicab',
        'Emergency Vehicle', 'Train', 'Trolley', 'Tram / Subway',
    ],
    two_wheeler=['Motorcycle', 'Personal Mobility Device', 'Motorized Scooter', 'Bicycle'],
    pedestrian=['Pedestrian', 'Pedestrian with Object'],
    cone_barrier=['Pylons', 'Road Barriers', 'Cones', 'Temporary Construction Barriers'],
    sign=['Signs', 'Construction Signs'],
    road=['Road', 'Lane Line Marking', 'Stop Line Marking', 'Other Road Marking'],
    sidewalk=['Sidewalk'],
    other_ground=['Ground', 'Driveway'],
    vegetation=['Vegetation'],
    building=['Building'],
    other_static=['Rolling Containers', 'Other Static Object'],
)  # fmt: skip
frames = dict(data_root=data_root, data_prefix=dict(_delete_=True, pts='lidar', sweeps='lidar', img=''))
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(
        frames,
        ann_file='pandaset_infos_all.pkl',  # few frames: all train, and held-back rays of each are measured
        pipeline=dict(
            sweeps=None,
            image_aug=dict(final_dim=image_size, resize_lim=[0.185, 0.22]),
            lidar_aug=dict(translation_std=[0.0, 0.0, 0.0]),
        ),
    ),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        frames,
        ann_file='pandaset_infos_val.pkl',
        pipeline=dict(sweeps=None, image_aug=dict(final_dim=image_size, resize_lim=[0.19, 0.19])),
    ),
)
test_dataloader = val_dataloader
detection = dict(
    train_dataloader=dict(dataset=dict(ann_file='pandaset_infos_train.pkl')),
    val_evaluator=dict(
        _delete_=True,
        type='CLAPInfoMetric',
        ann_file=data_root + 'pandaset_infos_val.pkl',
        classes=_base_.class_names,
    ),
)
lidar_detection = dict(
    train_dataloader=dict(dataset=dict(ann_file='pandaset_infos_train.pkl')),
    val_evaluator=dict(ann_file=data_root + 'pandaset_infos_val.pkl'),
)
segmentation = dict(
    train_dataloader=dict(dataset=dict(ann_file='pandaset_infos_train.pkl', semantic_classes=semantic_classes)),
    val_dataloader=dict(dataset=dict(semantic_classes=semantic_classes)),
    val_evaluator=dict(classes=[name for name in semantic_classes if name != '_delete_']),
)
del frames
