# Waymo: one sweep of all five LiDARs (second returns for the encoder only, no earlier sweeps), five cameras, none of
# which looks back; otherwise as nus.py. There are ten sweeps a second: every fifth trains, as often as nuScenes has
# keyframes.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with waymo/ in it).
_base_ = './nus.py'

data_root = '{{$CLAP_DATA_ROOT:data}}/waymo/'
# OpenPCDet's -2 to 4 m above the vehicle's origin; the LiDAR that is the origin here is 2.2 m above it.
point_cloud_range = [-75.2, -75.2, -4.2, 75.2, 75.2, 1.8]
image_size = [320, 704]  # from 1280 x 1920, and 886 x 1920 of the side cameras
class_names = ['Vehicle', 'Pedestrian', 'Cyclist']
frames = dict(data_root=data_root, data_prefix=dict(_delete_=True, pts='', sweeps='', img=''))
points = dict(add_extra_lidar=True)
point_range = dict(point_cloud_range=point_cloud_range)
train_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='waymo_infos_train.pkl',
        load_interval=5,
        pipeline=dict(
            points=points,
            sweeps=None,
            image_aug=dict(final_dim=image_size, resize_lim=[0.367, 0.44]),
            point_range=point_range,
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='waymo_infos_val.pkl',
        load_interval=10,
        pipeline=dict(
            points=points,
            sweeps=None,
            image_aug=dict(final_dim=image_size, resize_lim=[0.367, 0.367]),
            point_range=point_range,
        ),
    )
)
test_dataloader = val_dataloader
metainfo = dict(classes=class_names)
detection = dict(
    train_dataloader=dict(
        dataset=dict(
            metainfo=metainfo,
            pipeline=dict(
                object_range=dict(point_cloud_range=point_cloud_range), object_names=dict(classes=class_names)
            ),
        )
    ),
    val_dataloader=dict(dataset=dict(metainfo=metainfo, load_interval=1)),
    val_evaluator=dict(
        _delete_=True,
        type='CLAPWaymoMetric',
        ann_file=data_root + 'waymo_infos_val.pkl',
        classes=class_names,
        data_root=data_root,
    ),
)
lidar_detection = dict(
    train_dataloader=dict(
        dataset=dict(
            metainfo=metainfo,
            merged_classes=None,
            filter_empty_gt=True,
            pipeline=dict(
                object_range=dict(point_cloud_range=point_cloud_range), object_names=dict(classes=class_names)
            ),
        )
    ),
    val_dataloader=dict(dataset=dict(metainfo=metainfo, merged_classes=None, load_interval=1)),
    val_evaluator=detection['val_evaluator'],
)
del frames, points, point_range, metainfo  # parts, no keys of a configuration
