# The detector of the paper: lidar-camera BEVFusion, voxels of 0.075 m, Swin-T, TransFusion head.

_base_ = './encoder_voxel0075_swint.py'

model = dict(
    type='CLAPBEVFusion',
    bbox_head=dict(
        type='CLAPTransFusionHead',
        in_channels=512,
        out_size_factor=8,
        num_proposals=200,
        hidden_channel=128,
        num_decoder_layers=1,
        decoder_layer=dict(num_heads=8, feedforward_channels=256, dropout=0.1, ffn_drop=0.1),
        nms_kernel_size=3,
        small_classes=[8, 9],  # pedestrian and traffic_cone
        bn_momentum=0.1,
        gaussian_overlap=0.1,
        min_radius=2,
        assigner=dict(type='CLAPHungarianAssigner3D', cls_weight=0.15, reg_weight=0.25, iou_weight=0.25),
        code_weights=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2],
        loss_cls=dict(
            type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, reduction='mean', loss_weight=1.0
        ),
        loss_heatmap=dict(type='mmdet.GaussianFocalLoss', reduction='mean', loss_weight=1.0),
        loss_bbox=dict(type='mmdet.L1Loss', reduction='mean', loss_weight=0.25),
        post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0],
        score_threshold=0.0,
    ),
)
