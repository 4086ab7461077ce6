# LiDAR segmentation on SemanticKITTI: nineteen classes, Cartesian voxels, the recommended test of pre-trained features;
# load_from=FILE starts its encoder. segmentor_cylinder_semantickitti.py has Cylinder3D's grid.
_base_ = [
    '../../../../configs/_base_/datasets/semantickitti.py',
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

train_cfg = dict(max_epochs=20, val_interval=20)
