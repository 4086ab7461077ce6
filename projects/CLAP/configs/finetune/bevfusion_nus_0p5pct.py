# 0.5 % of nuScenes' labels: every 200th training frame.
_base_ = './bevfusion_nus_100pct.py'
train_dataloader = dict(dataset=dict(load_interval=200))
