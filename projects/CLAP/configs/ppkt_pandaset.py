# PPKT on real recordings and two CPU cores. docs/methods/ppkt.md
#   python tools/train.py projects/CLAP/configs/ppkt_pandaset.py
_base_ = ['../../../configs/_base_/methods_pandaset.py', '../../../configs/_base_/models/encoder_small.py']

model = dict(
    type='PPKT',
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=None,
    fusion_layer=None,
)
