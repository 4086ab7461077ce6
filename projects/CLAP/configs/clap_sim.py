# The quick start: the simulated world, every part switched on, minutes on two CPU cores.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 20
#   python tools/train.py projects/CLAP/configs/clap_sim.py
_base_ = [
    '../../../configs/_base_/datasets/clap_sim.py',
    '../../../configs/_base_/models/clap_small.py',
    '../../../configs/_base_/schedules/clap_12e.py',
    '../../../configs/_base_/default_runtime.py',
]

lr = 1e-3
max_epochs = 6
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=max_epochs, begin=0, end=max_epochs, by_epoch=True,
         convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
default_hooks = dict(logger=dict(interval=5))
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='SamplingWarmupHook', warmup_epochs=2),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
]
log_processor = dict(window_size=10)
