# CenterPoint on nuScenes, LiDAR alone: ten classes in six tasks, as in mmdetection3d, whose schedule it has (20 cyclic
# epochs). A share of the labels: train_dataloader.dataset.load_interval=20 is 5 %, at every share as many iterations.
#   tools/dist_train.sh projects/CLAP/configs/finetune/centerpoint_nus.py 8 --cfg-options load_from=encoders.pth
# Different from mmdetection3d: no ObjectSample (see bevfusion_nus_lidar.py), the head's axes and first scores.
_base_ = './bevfusion_nus_lidar.py'

model = dict(
    type='CLAPCenterPoint',
    bbox_head=dict(
        _delete_=True,
        type='CLAPCenterHead',
        in_channels=512,
        out_size_factor=8,
        num_classes=len(_base_.class_names),
        tasks=[1, 2, 2, 1, 2, 2],
    ),
)
