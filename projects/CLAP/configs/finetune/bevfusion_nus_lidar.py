# First stage of mmdetection3d's BEVFusion on nuScenes (README there: 69.6 NDS, 64.9 mAP): the LiDAR detector, 20 cyclic
# epochs. Its weights start bevfusion_nus_lidar_cam.py.
#   tools/dist_train.sh projects/CLAP/configs/finetune/bevfusion_nus_lidar.py 8 --cfg-options load_from=encoders.pth
# As there: class-balanced frames (about 123 000 an epoch), valid boxes, frames that keep no box replaced, schedule.
# Different: no ObjectSample, which there pastes objects of other frames in until epoch 15, so that less is to be
# expected. mmdetection3d's fails with numpy 1.24 to 1.26, draws from a state that a resumed run does not have, and
# takes objects of all frames, so that a share of the labels would not be one. Frames are drawn from the run's seed.
_base_ = [
    '../../../../configs/_base_/datasets/nus_detection.py',
    '../../../../configs/_base_/models/bevfusion_voxel0075_swint.py',
    '../../../../configs/_base_/schedules/det_lidar_20e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    bbox_head=dict(num_classes=len(_base_.class_names)),
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
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
