# det_6e.py for a small detector and minutes of training: a short warm-up to a higher learning rate. A leaf sets
# its epochs.
_base_ = './det_6e.py'

optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min_ratio=1e-3, by_epoch=True, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=32)
