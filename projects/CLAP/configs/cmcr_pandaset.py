# CMCR on real recordings on two CPU cores: PandaSet in its native layout.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/train.py projects/CLAP/configs/cmcr_pandaset.py
_base_ = ['../../../configs/_base_/methods_pandaset.py', '../../../configs/_base_/models/cmcr_small.py']

model = dict(voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))
