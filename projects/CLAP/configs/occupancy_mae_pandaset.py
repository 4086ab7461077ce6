# Occupancy-MAE on PandaSet; the two frames that are measured are not trained on.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/train.py projects/CLAP/configs/occupancy_mae_pandaset.py
_base_ = ['../../../configs/_base_/methods_pandaset.py', '../../../configs/_base_/models/occupancy_mae_small.py']

model = dict(voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range))

train_dataloader = dict(dataset=_base_.lidar_alone)
val_dataloader = dict(dataset=_base_.lidar_alone)
test_dataloader = val_dataloader
