# CenterPoint on Waymo, LiDAR alone: range, voxels and epochs of OpenPCDet's, which the paper fine-tunes. A share of the
# labels: train_dataloader.dataset.load_interval=500 is 1 % of every fifth frame.
_base_ = [
    '../../../../configs/_base_/datasets/waymo.py',
    '../../../../configs/_base_/models/centerpoint_voxel0075.py',
    '../../../../configs/_base_/schedules/det_6e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

class_names = ['Vehicle', 'Pedestrian', 'Cyclist']
model = dict(
    voxelize_cfg=dict(
        point_cloud_range=_base_.point_cloud_range, voxel_size=[0.1, 0.1, 0.15], max_voxels=[150000, 150000]
    ),
    bbox_head=dict(
        num_classes=len(class_names),
        with_velocity=False,
        loss_bbox=dict(type='mmdet.L1Loss', reduction='mean', loss_weight=2.0),
        post_center_range=[-80.0, -80.0, -10.0, 80.0, 80.0, 10.0],
        max_boxes=4096,
        nms_iou=0.7,
        nms_boxes=500,
    ),
)
lidar = dict(
    with_annotations=True,
    metainfo=dict(classes=class_names),
    modality=dict(use_lidar=True, use_camera=False),
)
train_dataloader = dict(
    dataset=dict(
        lidar,
        ann_file='waymo_infos_train.pkl',
        keep_length=True,
        filter_empty_gt=True,
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
val_dataloader = dict(
    dataset=dict(lidar, load_interval=1, pipeline=dict(images=None, image_aug=None, pack=dict(keys=['points'])))
)
test_dataloader = val_dataloader
val_evaluator = dict(_base_.detection.val_evaluator, classes=class_names)
val_evaluator.pop('_delete_', None)
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=30, val_interval=30)
del lidar
