# What every configuration shares: logging, checkpoints, seeds.
default_scope = 'mmdet3d'
custom_imports = dict(imports=['projects.CLAP.clap'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=3),
    skipped_frames=dict(type='SkippedFramesHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    live=dict(type='LiveProgressHook'),
)
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='SamplingWarmupHook', warmup_epochs=4),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
    dict(type='UnmaskedNormHook', num_frames=64, interval=1),
    dict(type='RunRecordHook'),
    dict(type='PretrainVisualizationHook', interval=500),
]

env_cfg = dict(
    cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
