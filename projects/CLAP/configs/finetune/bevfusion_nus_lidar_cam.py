# Second stage of mmdetection3d's BEVFusion on nuScenes (README there: 71.4 NDS, 68.6 mAP): LiDAR and cameras, 6 epochs
# from the LiDAR detector that bevfusion_nus_lidar.py trains.
#   tools/dist_train.sh projects/CLAP/configs/finetune/bevfusion_nus_lidar_cam.py 8 \
#     --cfg-options load_from=work_dirs/bevfusion_nus_lidar/epoch_20.pth
# As there: class-balanced frames (about 123 000 an epoch), valid boxes, frames that keep no box replaced, schedule.
# Swin-T starts from ImageNet, for the figures there from nuImages (model.img_backbone.init_cfg.checkpoint=FILE).
# Different: frames and order are drawn from the run's seed, and a resumed run keeps them. The shares of the paper's
# protocol are in bevfusion_nus_100pct.py and its children.
_base_ = [
    '../../../../configs/_base_/datasets/nus_detection.py',
    '../../../../configs/_base_/models/bevfusion_voxel0075_swint.py',
    '../../../../configs/_base_/schedules/det_lidar_cam_6e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=_base_.image_size),
    bbox_head=dict(num_classes=len(_base_.class_names)),
)
train_dataloader = dict(dataset=dict(class_balanced=True, use_valid_flag=True, filter_empty_gt=True))
# The LiDAR detector brings these; pre-trained encoders have no bbox_head.
default_hooks = dict(transfer=dict(modules=['pts_middle_encoder', 'pts_backbone', 'pts_neck', 'bbox_head']))
