# Full CLAP on the training frames of PandaSet, at the size of the simulated comparison; the detector's val frames stay
# unseen. The other pre-trainings of the comparison change one thing of it each.
_base_ = ['./pretrain_sim_clap.py']

frames = dict(
    data_root='{{$CLAP_DATA_ROOT:data}}/pandaset/',
    ann_file='pandaset_infos_train.pkl',
    data_prefix=dict(_delete_=True, pts='lidar', sweeps='lidar', img=''),
)
# PandaSet's points come with their time (1 sets it to 0), its images from 1080 x 1920.
train_pipeline = _base_.train_dataloader.dataset.pipeline
del train_pipeline[1]
train_pipeline[2].update(resize_lim=[0.0834, 0.0934])
val_pipeline = _base_.val_pipeline
del val_pipeline[1]
val_pipeline[2].update(resize_lim=[0.088, 0.088])
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **frames))
# Held-back rays of the training frames: there are no others.
val_dataloader = dict(dataset=dict(pipeline=val_pipeline, **frames))
test_dataloader = val_dataloader
# Six steps an epoch.
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='SamplingWarmupHook', warmup_epochs=20),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
    dict(type='UnmaskedNormHook', num_frames=12, interval=100),
    dict(type='RunRecordHook'),
]
default_hooks = dict(checkpoint=dict(interval=10))
