# Full CLAP on the training frames of PandaSet, at the size of the simulated comparison; the detector's val frames stay
# unseen. The other pre-trainings of the comparison change one thing of it each.
_base_ = ['./pretrain_sim_clap.py', '../../../../configs/_base_/datasets/pandaset_merged_classes.py']

frames = dict(
    data_root='{{$CLAP_DATA_ROOT:data}}/pandaset/',
    ann_file='pandaset_infos_train.pkl',  # also to measure held-back rays on: there are no others
    data_prefix=dict(_delete_=True, pts='lidar', sweeps='lidar', img=''),
)
# Images from 1080 x 1920.
train_dataloader = dict(dataset=dict(frames, pipeline=dict(image_aug=dict(resize_lim=[0.0834, 0.0934]))))
val_dataloader = dict(dataset=dict(frames, pipeline=dict(image_aug=dict(resize_lim=[0.088, 0.088]))))
test_dataloader = val_dataloader
del frames
# For the probe of points.
classes = dict(dataset=dict(semantic_classes=_base_.merged_classes))
segmentation = dict(train_dataloader=classes, val_dataloader=classes)
del classes
# Six steps an epoch.
default_hooks = dict(checkpoint=dict(interval=10), warmup=dict(warmup_epochs=20), unmasked_norm=dict(num_frames=12))
