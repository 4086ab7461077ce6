# clap_12e.py for a small model and minutes of training: a short warm-up. A leaf sets its learning rate and epochs.
_base_ = './clap_12e.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=True, convert_to_iter_based=True),
]
