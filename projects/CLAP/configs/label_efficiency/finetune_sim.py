# The detector of the comparison: bevfusion_sim_100pct.py, whose frames, order and augmentation follow from the seed
# alone, so that arms of the same seed see the same, resumed or not.
_base_ = ['../finetune/bevfusion_sim_100pct.py']

train_dataloader = dict(sampler=dict(_delete_=True, type='SeededSampler', shuffle=True), dataset=dict(keep_length=True))
train_cfg = dict(type='ResumableEpochLoop')
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=2))
# TensorBoard's import takes seconds of every run.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends, name='visualizer')
