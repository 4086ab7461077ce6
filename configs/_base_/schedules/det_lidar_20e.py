# First stage of mmdetection3d's BEVFusion, the LiDAR detector: 20 cyclic epochs at 8 x 4 samples, the learning rate
# from 1e-4 to 1e-3 and down to 1e-8. A run of another length moves all ends.
# beta1 goes to 0.895 and then to 1, as in mmdetection3d; in OpenPCDet 0.85 / 0.95 and 1 are factors of 0.9.
_base_ = './det_6e.py'

optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=8, eta_min=1e-3, begin=0, end=8, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=12, eta_min=1e-8, begin=8, end=20, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingMomentum',
        T_max=8,
        eta_min=0.85 / 0.95,
        begin=0,
        end=8,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingMomentum', T_max=12, eta_min=1, begin=8, end=20, by_epoch=True, convert_to_iter_based=True
    ),
]
train_cfg = dict(max_epochs=20, val_interval=5)
auto_scale_lr = dict(base_batch_size=32)
