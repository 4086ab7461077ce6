# 1 % of PandaSet's labels: every 100th training frame. Of 12 training frames that is one.
_base_ = './bevfusion_pandaset_100pct.py'
train_dataloader = dict(dataset=dict(load_interval=100))
