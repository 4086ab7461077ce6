# 1 % of nuScenes' labels: every 100th training frame.
_base_ = './bevfusion_nus_100pct.py'
train_dataloader = dict(dataset=dict(load_interval=100))
