# Full CLAP on the training frames of PandaSet (clap_pandaset.py uses all frames; here the detector's val frames stay
# unseen); the other pre-trainings of the comparison change one thing of it each.
_base_ = ['../clap_pandaset.py']

train_dataloader = dict(dataset=dict(ann_file='pandaset_infos_train.pkl'))
val_dataloader = dict(dataset=dict(ann_file='pandaset_infos_train.pkl'))
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='SamplingWarmupHook', warmup_epochs=25),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
    dict(type='UnmaskedNormHook', num_frames=12, interval=100),
    dict(type='RunRecordHook'),
]
# TensorBoard's import takes seconds of every run.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends, name='visualizer')
