# CMCR on nuScenes, with the paper's schedule: Adam, one cycle to 1e-3, 50 epochs of 4 x 4 frames.
#   tools/dist_train.sh projects/CLAP/configs/cmcr_nus.py 4
_base_ = ['../../../configs/_base_/methods_nus.py', '../../../configs/_base_/models/encoder_voxel0075_swint.py']

# Weak labels, if there are any, are files of one uint8 for every point of a keyframe, as in lidarseg, in a folder that
# data_prefix.semantic names. They take dataset.semantic_classes, pts_semantic_mask in pipeline.pack.keys, and
# model.num_classes.
model = dict(
    type='CMCR',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=None,  # images stay in the image plane
    fusion_layer=None,
)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=1e-3))
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, total_steps=50, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=50)
