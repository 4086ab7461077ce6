# Occupancy-MAE on nuScenes: the release's highest learning rate, the paper's masking (the class' defaults). The release
# trains for 20 to 30 one-cycle epochs, batches of 4; here the schedule is CLAP's, so that methods compare.
#   tools/dist_train.sh projects/CLAP/configs/occupancy_mae_nus.py 8
_base_ = './also_nus.py'

model = dict(type='OccupancyMAE', pts_backbone=None, pts_neck=None)  # the sparse encoder alone is trained
optim_wrapper = dict(optimizer=dict(lr=3e-3))
