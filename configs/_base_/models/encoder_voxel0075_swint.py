# The encoders of the paper's model: lidar-camera BEVFusion, voxels of 0.075 m, Swin-T. The pre-trainer
# (clap_voxel0075_swint.py) and the detector (bevfusion_voxel0075_swint.py) both take them from here. Range and image
# size come with the data set; shapes and bounds that follow from them are worked out (clap/encoders/geometry.py).

model = dict(
    data_preprocessor=dict(
        type='CLAPDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=False,
        pad_size_divisor=32,
    ),
    voxelize_cfg=dict(
        max_num_points=10,
        max_voxels=[120000, 160000],  # training, evaluation
        voxel_size=[0.075, 0.075, 0.2],
    ),
    pts_middle_encoder=dict(
        type='CLAPSparseEncoder',
        in_channels=5,
        norm_cfg=dict(type='BN1d', eps=1e-3, momentum=0.01),
        base_channels=16,
        output_channels=128,
        encoder_channels=((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128)),
        encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, (1, 1, 0)), (0, 0)),
    ),
    img_backbone=dict(
        type='mmdet.SwinTransformer',
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        mlp_ratio=4,
        qkv_bias=True,
        qk_scale=None,
        drop_rate=0.0,
        attn_drop_rate=0.0,
        drop_path_rate=0.2,
        patch_norm=True,
        out_indices=[1, 2, 3],
        with_cp=False,
        convert_weights=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/SwinTransformer/storage/releases/download/v1.0.0/'
            'swin_tiny_patch4_window7_224.pth',
        ),
    ),
    img_neck=dict(type='CLAPLSSFPN', in_channels=[192, 384, 768], out_channels=256, norm_cfg=dict(type='BN2d')),
    view_transform=dict(
        type='CLAPDepthLSSTransform',
        in_channels=256,
        out_channels=80,
        zbound=[-10.0, 10.0, 20.0],
        dbound=[1.0, 60.0, 0.5],
        downsample=2,
    ),
    fusion_layer=dict(type='CLAPConvFuser', in_channels=[80, 256], out_channels=256),
    pts_backbone=dict(
        type='SECOND',
        in_channels=256,
        out_channels=[128, 256],
        layer_nums=[5, 5],
        layer_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
        conv_cfg=dict(type='Conv2d', bias=False),
    ),
    pts_neck=dict(
        type='SECONDFPN',
        in_channels=[128, 256],
        out_channels=[256, 256],
        upsample_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
        upsample_cfg=dict(type='deconv', bias=False),
        use_conv_for_no_stride=True,
    ),
)
