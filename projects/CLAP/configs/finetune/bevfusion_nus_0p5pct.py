# 0.5 % of nuScenes' labels, drawn uniformly: every 200th training frame, 180 times per epoch, so 1080 passes and about
# as many iterations as 100 %.
_base_ = ['./bevfusion_nus_100pct.py']

train_dataloader = dict(dataset=dict(times=180, dataset=dict(indices=list(range(0, 28130, 200)))))
