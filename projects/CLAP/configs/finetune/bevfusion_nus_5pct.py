# 5 % of nuScenes' labels, drawn uniformly: every 20th training frame, 18 times per epoch, so 108 passes and about
# as many iterations as 100 %.
_base_ = ['./bevfusion_nus_100pct.py']

train_dataloader = dict(dataset=dict(times=18, dataset=dict(indices=list(range(0, 28130, 20)))))
