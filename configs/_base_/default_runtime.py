# What every configuration shares: hooks, logging, seeds. A hook is changed by its name, here and on the command line
# (default_hooks.warmup.warmup_epochs=2); None leaves it out.
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
    step_seed=dict(type='StepSeedHook'),
    warmup=dict(type='SamplingWarmupHook', warmup_epochs=4),
    gradient_share=dict(type='GradientShareHook', interval=100),
    nonfinite=dict(type='NonFiniteLossHook'),
    dataset_check=dict(type='DatasetCheckHook'),
    unmasked_norm=dict(type='UnmaskedNormHook', num_frames=64, interval=1),
    run_record=dict(type='RunRecordHook'),
    pictures=dict(type='PretrainVisualizationHook', interval=500),
)

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
