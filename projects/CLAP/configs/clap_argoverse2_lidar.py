# clap_argoverse2.py by the LiDARs alone, for the 20 000 logs of the LiDAR data set, which have no images.
_base_ = './clap_argoverse2.py'

model = dict(
    img_backbone=None,
    img_neck=None,
    view_transform=None,
    fusion_layer=None,
    prototype_head=None,  # it associates two sensors
)
lidar = dict(modality=dict(use_lidar=True, use_camera=False), pipeline=dict(images=None, image_aug=None))
train_dataloader = dict(dataset=lidar)
val_dataloader = dict(dataset=lidar)
test_dataloader = val_dataloader
del lidar
