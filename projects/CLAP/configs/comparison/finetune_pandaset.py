# The detector of the simulated comparison on real frames of PandaSet. nuScenes' average precision from the info file,
# as in bevfusion_pandaset_100pct.py.
_base_ = './finetune_sim.py'

data_root = '{{$CLAP_DATA_ROOT:data}}/pandaset/'
frames = dict(data_root=data_root, data_prefix=dict(_delete_=True, pts='lidar', sweeps='lidar', img=''))
# Images from 1080 x 1920.
train_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='pandaset_infos_train.pkl',
        pipeline=dict(image_aug=dict(resize_lim=[0.0834, 0.0934])),
    )
)
val_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='pandaset_infos_val.pkl',
        pipeline=dict(image_aug=dict(resize_lim=[0.088, 0.088])),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='CLAPInfoMetric',
    ann_file=data_root + 'pandaset_infos_val.pkl',
    classes=_base_.class_names,
)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(interval=10))
del frames
