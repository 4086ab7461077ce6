# 2.5 % of nuScenes' labels, drawn uniformly: every 40th training frame, 36 times per epoch, so 216 passes and about
# as many iterations as 100 %.
_base_ = ['./bevfusion_nus_100pct.py']

train_dataloader = dict(dataset=dict(times=36, dataset=dict(indices=list(range(0, 28130, 40)))))
