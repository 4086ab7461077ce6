# Full CLAP on the simulated world; the other pre-trainings of the comparison change one thing of it each.
_base_ = ['../clap_sim.py']

default_hooks = dict(logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=2))
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='SamplingWarmupHook', warmup_epochs=3),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
    dict(type='UnmaskedNormHook', num_frames=32, interval=100),
    dict(type='RunRecordHook'),
]
# TensorBoard's import takes seconds of every run.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends, name='visualizer')
