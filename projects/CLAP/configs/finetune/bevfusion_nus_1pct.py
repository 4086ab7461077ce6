# 1 % of nuScenes' labels, drawn uniformly: every 100th training frame, 90 times per epoch, so 540 passes and about
# as many iterations as 100 %.
_base_ = ['./bevfusion_nus_100pct.py']

train_dataloader = dict(dataset=dict(times=90, dataset=dict(indices=list(range(0, 28130, 100)))))
