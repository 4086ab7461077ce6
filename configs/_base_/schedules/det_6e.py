# Fine-tuning the detector: BEVFusion's AdamW with decay 0.01 and clipping at 35, six passes over the full data. A share
# of the labels is repeated, so that every share takes about as many iterations.
optim_wrapper = dict(
    type='CheckedOptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.33, begin=0, end=500, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=1e-3, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='ResumableEpochLoop', max_epochs=6, val_interval=6)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=32)
