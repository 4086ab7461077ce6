# 2.5 % of nuScenes' labels: every 40th training frame.
_base_ = './bevfusion_nus_100pct.py'
train_dataloader = dict(dataset=dict(load_interval=40))
