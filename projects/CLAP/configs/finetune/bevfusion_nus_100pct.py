# BEVFusion on nuScenes with all labels; the smaller shares build on this file.
#   tools/dist_train.sh projects/CLAP/configs/finetune/bevfusion_nus_100pct.py 8 \
#     --cfg-options load_from=encoders.pth
# Without load_from: the random arm (encoders from scratch, the image backbone from supervised Swin-T). Another share:
# train_dataloader.dataset.load_interval=20 is every 20th frame, repeated to keep the number of iterations.
_base_ = [
    '../../../../configs/_base_/datasets/nus.py',
    '../../../../configs/_base_/models/bevfusion_voxel0075_swint.py',
    '../../../../configs/_base_/schedules/det_6e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=_base_.image_size),
    bbox_head=dict(num_classes=len(_base_.class_names)),
)
train_dataloader = _base_.detection.train_dataloader
val_dataloader = _base_.detection.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.detection.val_evaluator
test_evaluator = val_evaluator
