# The paper's protocol on nuScenes, all labels; the smaller shares build on this file. Upstream's two stages are
# bevfusion_nus_lidar.py and bevfusion_nus_lidar_cam.py.
#   tools/dist_train.sh projects/CLAP/configs/finetune/bevfusion_nus_100pct.py 8 \
#     --cfg-options load_from=encoders.pth
# Without load_from: the random arm (encoders from scratch, the image backbone from supervised Swin-T). Another share:
# train_dataloader.dataset.load_interval=20 is every 20th frame, balanced over classes, repeated to an epoch's length.
#
# As OpenPCDet, the paper's code base for detection: balanced resampling (an epoch draws 123 580 times from the 28 130
# frames), boxes with a LiDAR point, 8 x 3 samples, schedule. Six epochs are 120 balanced passes over 5 %; the paper
# has 108, as many as random initialisation gains from, and every arm the same (train_cfg.max_epochs raises them).
# Different: frames are counted by the boxes that train, there also by those that only radar met; Swin-T starts from
# ImageNet, there from nuImages (model.img_backbone.init_cfg.checkpoint=FILE).
_base_ = [
    '../../../../configs/_base_/datasets/nus_detection.py',
    '../../../../configs/_base_/models/bevfusion_voxel0075_swint.py',
    '../../../../configs/_base_/schedules/det_6e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=_base_.image_size),
    bbox_head=dict(num_classes=len(_base_.class_names)),
)
train_dataloader = dict(batch_size=3, dataset=dict(class_balanced=True))
