# Occupancy-MAE on PandaSet; the two frames that are measured are not trained on.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/train.py projects/CLAP/configs/occupancy_mae_pandaset.py
_base_ = './also_pandaset.py'

model = dict(type='OccupancyMAE', pts_backbone=None, pts_neck=None)  # the sparse encoder alone is trained
