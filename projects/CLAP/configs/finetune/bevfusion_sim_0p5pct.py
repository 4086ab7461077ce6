# 0.5 % of the simulated world's labels, drawn uniformly: every 200th training frame, repeated to keep
# the number of iterations.
_base_ = ['./bevfusion_sim_100pct.py']

train_dataloader = dict(dataset=dict(load_interval=200, keep_length=True))
