# KITTI raw: the LiDAR's sweep (64 beams, no earlier sweeps) and the left colour camera, which sees ahead; the right one
# shows the same half a metre beside it. Otherwise as nus.py.
# Another folder: export CLAP_DATA_ROOT=/where/the/data/are (with kitti_raw/ in it).
_base_ = './nus.py'

data_root = '{{$CLAP_DATA_ROOT:data}}/kitti_raw/'
class_names = ['vehicle', 'pedestrian', 'cyclist']
image_size = [192, 640]  # from 375 x 1242; other days are up to 18 columns narrower
frames = dict(
    data_root=data_root,
    data_prefix=dict(_delete_=True, pts='', sweeps='', img=''),
    cameras=['image_02'],
)
train_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='kitti_raw_infos_train.pkl',
        pipeline=dict(sweeps=None, image_aug=dict(final_dim=image_size, resize_lim=[0.53, 0.62])),
    )
)
val_dataloader = dict(
    dataset=dict(
        frames,
        ann_file='kitti_raw_infos_val.pkl',
        pipeline=dict(sweeps=None, image_aug=dict(final_dim=image_size, resize_lim=[0.53, 0.53])),
    )
)
test_dataloader = val_dataloader
detection = None  # pre-training alone: there is no metric of its classes here
del frames
