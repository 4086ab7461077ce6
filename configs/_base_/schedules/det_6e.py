# Fine-tuning the detector as OpenPCDet's bevfusion.yaml does, which is the paper's code base for detection: AdamW with
# decay 0.01, clipping at 35, learning rate 1e-4 for 8 x 3 samples, six epochs, beta1 from 0.9 to 0.81 and back. A share
# of the labels is repeated, so that every share takes as many iterations.
optim_wrapper = dict(
    type='CheckedOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, begin=0, end=500, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=1e-3, by_epoch=True, convert_to_iter_based=True),
    # Like the learning rate, as long as the run is, whatever train_cfg.max_epochs.
    dict(type='CyclicMomentum', eta_min=0.8052631, turn=0.4, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='ResumableEpochLoop', max_epochs=6, val_interval=6)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=24)
