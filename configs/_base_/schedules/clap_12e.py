# The paper's schedule: AdamW, lr 5e-5, cosine. Epochs and batch are not printed; 12 epochs at 8 x 4 samples.
optim_wrapper = dict(
    type='CheckedOptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-5, weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2, error_if_nonfinite=True),
)
param_scheduler = [
    # Without an end it runs to the last epoch, whatever train_cfg.max_epochs is.
    dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='ResumableEpochLoop', max_epochs=12, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = dict(type='RenderMetric')
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=32)
