# Occupancy-MAE on the simulated world, minutes on two CPU cores.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/occupancy_mae_sim.py
_base_ = ['../../../configs/_base_/methods_sim.py', '../../../configs/_base_/models/occupancy_mae_small.py']

model = dict(voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))

train_dataloader = dict(dataset=_base_.lidar_alone)
val_dataloader = dict(dataset=_base_.lidar_alone)
test_dataloader = val_dataloader
