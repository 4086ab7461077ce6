# clap_argoverse2.py by the LiDARs alone, for the 20 000 logs of the LiDAR data set, which have no images.
_base_ = './clap_argoverse2.py'

model = dict(
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    prototype_head=None,  # it associates two sensors
)
train_dataloader = dict(dataset=_base_.lidar_alone)
val_dataloader = dict(dataset=_base_.lidar_alone)
test_dataloader = val_dataloader
