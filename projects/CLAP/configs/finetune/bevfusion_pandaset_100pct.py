# The detector on real PandaSet frames with all labels; the smaller shares build on this file.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
_base_ = [
    '../../../../configs/_base_/datasets/det_pandaset.py',
    '../../../../configs/_base_/models/bevfusion_small.py',
    '../../../../configs/_base_/schedules/det_6e.py',
    '../../../../configs/_base_/default_runtime.py',
]

model = dict(view_transform=dict(image_size=[192, 352], feature_size=[24, 44]))

optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=1e-3, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=60, val_interval=60)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=5))
log_processor = dict(window_size=10)
custom_hooks = [
    dict(type='StepSeedHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='DatasetCheckHook'),
    dict(type='RunRecordHook'),
    # load_from=FILE: a table of what was loaded; the run stops if an encoder got less than this share.
    dict(type='TransferReportHook', min_share=0.99),
]
