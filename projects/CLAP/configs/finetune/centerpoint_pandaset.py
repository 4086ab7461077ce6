# CenterPoint on PandaSet, LiDAR alone, three merged classes. A share of the labels:
# train_dataloader.dataset.load_interval=20 is 5 %.
_base_ = [
    '../../../../configs/_base_/datasets/pandaset.py',
    '../../../../configs/_base_/models/centerpoint_small.py',
    '../../../../configs/_base_/schedules/det_small.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

class_names = ['vehicle', 'pedestrian', 'cyclist']
merged = dict(
    vehicle=['car', 'truck', 'bus', 'trailer', 'construction_vehicle'],
    pedestrian=['pedestrian'],
    cyclist=['bicycle', 'motorcycle'],
)
model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range), bbox_head=dict(num_classes=len(class_names))
)
lidar = dict(
    metainfo=dict(classes=class_names),
    merged_classes=merged,
    with_annotations=True,
    modality=dict(use_lidar=True, use_camera=False),
)
train_dataloader = dict(
    dataset=dict(
        lidar,
        ann_file='pandaset_infos_train.pkl',
        keep_length=True,
        pipeline=dict(
            images=None,
            image_aug=None,
            labels=dict(_delete_=True, type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
            object_range=dict(_delete_=True, type='ObjectRangeFilter', point_cloud_range=_base_.point_cloud_range),
            object_names=dict(_delete_=True, type='ObjectNameFilter', classes=class_names),
            pack=dict(keys=['points', 'gt_bboxes_3d', 'gt_labels_3d']),
        ),
    )
)
val_dataloader = dict(dataset=dict(lidar, pipeline=dict(images=None, image_aug=None, pack=dict(keys=['points']))))
test_dataloader = val_dataloader
# nuScenes' matching and average precision, see CLAPInfoMetric.
val_evaluator = dict(
    type='CLAPInfoMetric',
    ann_file=_base_.data_root + 'pandaset_infos_val.pkl',
    classes=class_names,
    merged_classes=merged,
)
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=60, val_interval=60)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5))
log_processor = dict(window_size=10)
del lidar, merged
