# CenterPoint on Waymo, LiDAR alone: range, voxels and epochs of OpenPCDet's, which the paper fine-tunes. A share of the
# labels: train_dataloader.dataset.load_interval=500 is 1 % of every fifth frame.
_base_ = [
    '../../../../configs/_base_/datasets/waymo.py',
    '../../../../configs/_base_/models/centerpoint_voxel0075.py',
    '../../../../configs/_base_/schedules/det_6e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(
        point_cloud_range=_base_.point_cloud_range, voxel_size=[0.1, 0.1, 0.15], max_voxels=[150000, 150000]
    ),
    bbox_head=dict(
        num_classes=len(_base_.class_names),
        with_velocity=False,
        loss_bbox=dict(type='mmdet.L1Loss', reduction='mean', loss_weight=2.0),
        post_center_range=[-80.0, -80.0, -10.0, 80.0, 80.0, 10.0],
        max_boxes=4096,
        nms_iou=0.7,
        nms_boxes=500,
    ),
)
train_dataloader = _base_.lidar_detection.train_dataloader
val_dataloader = _base_.lidar_detection.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.lidar_detection.val_evaluator
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=30, val_interval=30)
