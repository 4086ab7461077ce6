# Occupancy-MAE on the simulated world, minutes on two CPU cores.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/occupancy_mae_sim.py
_base_ = './also_sim.py'

model = dict(type='OccupancyMAE', pts_backbone=None, pts_neck=None)  # the sparse encoder alone is trained
