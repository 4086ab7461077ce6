# PPKT on nuScenes on the paper's encoders, with CLAP's schedule. Pairs and temperature are the release's and the class'
# defaults; unlike there the image backbone is trained, too (model.freeze_images). docs/methods/ppkt.md
#   tools/dist_train.sh projects/CLAP/configs/ppkt_nus.py 8
_base_ = ['../../../configs/_base_/methods_nus.py', '../../../configs/_base_/models/encoder_voxel0075_swint.py']

model = dict(
    type='PPKT',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=None,
    fusion_layer=None,
)
