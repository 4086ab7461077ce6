# Second stage of mmdetection3d's BEVFusion, LiDAR and cameras from a trained LiDAR detector: 6 epochs at 8 x 4 samples,
# learning rate 2e-4. beta1 goes to 0.895 and then to 1, see det_lidar_20e.py. A run of another length moves all ends.
_base_ = './det_6e.py'

optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.33333333, begin=0, end=500, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        T_max=6,
        eta_min_ratio=1e-4,
        begin=0,
        end=6,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingMomentum',
        eta_min=0.85 / 0.95,
        begin=0,
        end=2.4,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(type='CosineAnnealingMomentum', eta_min=1, begin=2.4, end=6, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(val_interval=1)
auto_scale_lr = dict(base_batch_size=32)
