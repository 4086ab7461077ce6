# The simulated driving world (nuScenes' layout, 225 x 400 images): keyframe + 4 sweeps,
# no random shift; otherwise as nus.py.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with sim/ in it).
_base_ = './nus.py'

data_root = '{{$CLAP_DATA_ROOT:data}}/sim/'
image_size = [128, 352]  # from 225 x 400
sweeps = dict(sweeps_num=4)
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    dataset=dict(
        data_root=data_root,
        ann_file='sim_infos_train.pkl',
        pipeline=dict(
            sweeps=sweeps,
            image_aug=dict(final_dim=image_size, resize_lim=[0.84, 1.0]),
            lidar_aug=dict(translation_std=[0.0, 0.0, 0.0]),
        ),
    ),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        data_root=data_root,
        ann_file='sim_infos_val.pkl',
        pipeline=dict(sweeps=sweeps, image_aug=dict(final_dim=image_size, resize_lim=[0.88, 0.88])),
    ),
)
test_dataloader = val_dataloader
detection = dict(val_evaluator=dict(data_root=data_root, ann_file=data_root + 'sim_infos_val.pkl'))
lidar_detection = dict(val_evaluator=dict(ann_file=data_root + 'sim_infos_val.pkl'))
del sweeps
