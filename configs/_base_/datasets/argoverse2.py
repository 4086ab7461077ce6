# Argoverse 2: a sweep of both LiDARs (no earlier sweeps), the seven cameras of the ring; otherwise as nus.py. There are
# ten sweeps a second: every fifth trains, as often as nuScenes has keyframes, and every tenth is measured.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with argoverse2/ in it).
_base_ = './nus.py'

data_root = '{{$CLAP_DATA_ROOT:data}}/argoverse2/'
image_size = [384, 512]  # from 1550 x 2048; the front image stands upright and is as large beside black columns
class_names = ['vehicle', 'pedestrian', 'cyclist']
frames = dict(
    data_root=data_root,
    data_prefix=dict(_delete_=True, pts='', sweeps='', img=''),
    cameras=[
        'ring_front_center', 'ring_front_right', 'ring_front_left', 'ring_rear_left', 'ring_rear_right',
        'ring_side_left', 'ring_side_right',
    ],
)  # fmt: skip
train_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='argoverse2_infos_train.pkl',
        load_interval=5,
        pipeline=dict(
            sweeps=None, image_aug=dict(final_dim=image_size, resize_lim=[[0.27, 0.31]] + [[0.25, 0.29]] * 6)
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='argoverse2_infos_val.pkl',
        load_interval=10,
        pipeline=dict(
            sweeps=None, image_aug=dict(final_dim=image_size, resize_lim=[[0.29, 0.29]] + [[0.25, 0.25]] * 6)
        ),
    )
)
test_dataloader = val_dataloader
detection = None  # pre-training alone: there is no metric of its classes here
del frames
