# CenterPoint on nuScenes, LiDAR alone: ten classes in six tasks, as in mmdetection3d, whose schedule it has (20 cyclic
# epochs). A share of the labels: train_dataloader.dataset.load_interval=20 is 5 %, at every share as many iterations.
#   tools/dist_train.sh projects/CLAP/configs/finetune/centerpoint_nus.py 8 --cfg-options load_from=encoders.pth
# Different from mmdetection3d: no ObjectSample (see bevfusion_nus_lidar.py), the head's axes and first scores.
_base_ = [
    '../../../../configs/_base_/datasets/nus_detection.py',
    '../../../../configs/_base_/models/centerpoint_voxel0075.py',
    '../../../../configs/_base_/schedules/det_lidar_20e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    bbox_head=dict(num_classes=len(_base_.class_names), tasks=[1, 2, 2, 1, 2, 2]),
)
lidar = dict(use_lidar=True, use_camera=False)
train_dataloader = dict(
    dataset=dict(
        modality=lidar,
        class_balanced=True,
        use_valid_flag=True,
        filter_empty_gt=True,
        pipeline=dict(images=None, image_aug=None, pack=dict(keys=['points', 'gt_bboxes_3d', 'gt_labels_3d'])),
    )
)
val_dataloader = dict(
    dataset=dict(modality=lidar, pipeline=dict(images=None, image_aug=None, pack=dict(keys=['points'])))
)
test_dataloader = val_dataloader
del lidar
