# ONCE: the LiDAR's sweep (40 beams, no earlier sweeps), seven cameras; otherwise as nus.py. x looks left and y back, in
# points, boxes and cameras alike. The 71 unlabelled sequences of raw_small train; raw_medium and raw_large hold more.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with once/ in it).
_base_ = './nus.py'

data_root = '{{$CLAP_DATA_ROOT:data}}/once/'
point_cloud_range = [-75.2, -75.2, -5.0, 75.2, 75.2, 3.0]
image_size = [352, 704]  # from 1020 x 1920
class_names = ['Car', 'Bus', 'Truck', 'Pedestrian', 'Cyclist']
frames = dict(data_root=data_root, data_prefix=dict(_delete_=True, pts='', sweeps='', img=''))
points = dict(load_dim=4, use_dim=[0, 1, 2, 3, 3], nonfinite='drop')  # the fifth number becomes the age
point_range = dict(point_cloud_range=point_cloud_range)
train_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='once_infos_raw_small.pkl',
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
        ann_file='once_infos_val.pkl',
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
            ann_file='once_infos_train.pkl',
            metainfo=metainfo,
            filter_empty_gt=True,  # a frame may have no labels
            pipeline=dict(
                object_range=dict(point_cloud_range=point_cloud_range), object_names=dict(classes=class_names)
            ),
        )
    ),
    val_dataloader=dict(dataset=dict(metainfo=metainfo)),
    val_evaluator=dict(
        _delete_=True, type='CLAPONCEMetric', ann_file=data_root + 'once_infos_val.pkl', classes=class_names
    ),
)
# Car stands for every vehicle; ONCE's metric counts alike.
three_classes = dict(_delete_=True, Car=['Car', 'Bus', 'Truck'], Pedestrian=['Pedestrian'], Cyclist=['Cyclist'])
merged = dict(metainfo=dict(classes=['Car', 'Pedestrian', 'Cyclist']), merged_classes=three_classes)
lidar_detection = dict(
    train_dataloader=dict(
        dataset=dict(
            merged,
            ann_file='once_infos_train.pkl',
            filter_empty_gt=True,
            pipeline=dict(
                object_range=dict(point_cloud_range=point_cloud_range),
                object_names=dict(classes=merged['metainfo']['classes']),
            ),
        )
    ),
    val_dataloader=dict(dataset=merged),
    val_evaluator=dict(detection['val_evaluator'], classes=merged['metainfo']['classes']),
)
del merged, frames, points, point_range, metainfo  # parts, no keys of a configuration
