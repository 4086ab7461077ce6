# With classes of points, here the simulator's own, in the place of weak labels.
_base_ = './pretrain_sim_cmcr.py'

model = dict(num_classes=len(_base_.semantic_classes), vmf_rate=0.05, vmf_start=50)
labels = dict(
    semantic_classes=_base_.semantic_classes,
    pipeline=dict(pack=dict(keys=['points', 'img', 'keyframe_points', 'keyframe_origins', 'pts_semantic_mask'])),
)
train_dataloader = dict(dataset=labels)
del labels
