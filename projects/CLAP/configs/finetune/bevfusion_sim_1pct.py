# 1 % of the simulated world's labels: every 100th training frame.
_base_ = './bevfusion_sim_100pct.py'
train_dataloader = dict(dataset=dict(load_interval=100))
