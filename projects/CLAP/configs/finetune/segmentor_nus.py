# LiDAR segmentation on nuScenes-lidarseg: sixteen classes; load_from=FILE starts its encoder.
#   python tools/create_data.py nuscenes --root data/nuscenes --out data/nuscenes  # finds lidarseg/ by itself
_base_ = [
    '../../../../configs/_base_/datasets/nus.py',
    '../../../../configs/_base_/models/segmentor_voxel0075.py',
    '../../../../configs/_base_/schedules/det_6e.py',
    '../../../../configs/_base_/finetune_runtime.py',
]

model = dict(voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range), num_classes=len(_base_.semantic_classes))
train_dataloader = _base_.segmentation.train_dataloader
val_dataloader = _base_.segmentation.val_dataloader
test_dataloader = val_dataloader
val_evaluator = _base_.segmentation.val_evaluator
test_evaluator = val_evaluator

# A share of the labels: train_dataloader.dataset.load_interval=20 is 5 %, at every share as many iterations.
train_cfg = dict(max_epochs=6, val_interval=6)
