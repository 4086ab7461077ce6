# 5 % of PandaSet's labels, drawn uniformly: every 20th training frame, repeated to keep
# the number of iterations. Of 12 training frames that is one.
_base_ = ['./bevfusion_pandaset_100pct.py']

train_dataloader = dict(dataset=dict(load_interval=20, keep_length=True))
