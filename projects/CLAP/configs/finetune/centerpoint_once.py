# CenterPoint on ONCE, LiDAR alone: range, voxels and epochs of OpenPCDet's, three merged classes (Car stands for every
# vehicle), which ONCE's metric counts alike. A share of the labels: train_dataloader.dataset.load_interval=20 is 5 %.
_base_ = [
    '../../../../configs/_base_/datasets/once.py',
    '../../../../configs/_base_/models/centerpoint_voxel0075.py',
    '../../../../configs/_base_/schedules/det_6e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(
        point_cloud_range=_base_.point_cloud_range, voxel_size=[0.1, 0.1, 0.2], max_voxels=[60000, 60000]
    ),
    bbox_head=dict(
        num_classes=len(_base_.three_classes),
        with_velocity=False,
        loss_bbox=dict(type='mmdet.L1Loss', reduction='mean', loss_weight=1.0),
        post_center_range=[-80.0, -80.0, -10.0, 80.0, 80.0, 10.0],
        max_boxes=4096,
        nms_iou=0.01,
        nms_boxes=500,
    ),
)
train_dataloader = _base_.lidar_detection.train_dataloader
val_dataloader = _base_.lidar_detection.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.lidar_detection.val_evaluator
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=80, val_interval=80)
