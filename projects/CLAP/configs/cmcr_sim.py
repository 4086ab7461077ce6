# CMCR on the simulated world, minutes on two CPU cores.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/cmcr_sim.py
_base_ = ['../../../configs/_base_/methods_sim.py', '../../../configs/_base_/models/cmcr_small.py']

model = dict(voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
