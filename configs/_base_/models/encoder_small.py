# The encoders at a size that trains on two CPU cores: BEV of 90 x 90 cells of 1.2 m, a narrow Swin. The pre-trainer
# (clap_small.py) and the detector (bevfusion_small.py) both take them from here. Range and image size come with the
# data set; shapes and bounds that follow from them are worked out (clap/encoders/geometry.py).
model = dict(
    data_preprocessor=dict(type='CLAPDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    voxelize_cfg=dict(
        max_num_points=10,
        max_voxels=[60000, 60000],
        voxel_size=[0.15, 0.15, 0.2],  # x, y: 8 voxels are a BEV cell
    ),
    pts_middle_encoder=dict(
        type='CLAPSparseEncoder',
        in_channels=5,
        # A run of minutes has too few steps for the running statistics of momentum 0.01.
        norm_cfg=dict(type='BN1d', eps=1e-3, momentum=0.1),
        base_channels=8,
        output_channels=32,
        encoder_channels=((8, 8, 16), (16, 16, 32), (32, 32, 48), (48, 48)),
        encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, (1, 1, 0)), (0, 0)),
    ),
    img_backbone=dict(
        type='mmdet.SwinTransformer',
        embed_dims=32,
        depths=[2, 2, 2, 2],
        num_heads=[2, 4, 8, 16],
        window_size=7,
        drop_path_rate=0.0,
        out_indices=[1, 2, 3],
        convert_weights=False,
        init_cfg=None,
    ),
    img_neck=dict(type='CLAPLSSFPN', in_channels=[64, 128, 256], out_channels=64),
    view_transform=dict(
        type='CLAPDepthLSSTransform',
        in_channels=64,
        out_channels=32,
        zbound=[-10.0, 10.0, 20.0],
        dbound=[1.0, 60.0, 1.0],
        downsample=2,
    ),
    fusion_layer=dict(type='CLAPConvFuser', in_channels=[32, 64], out_channels=64),
    pts_backbone=dict(
        type='SECOND',
        in_channels=64,
        out_channels=[64, 128],
        layer_nums=[2, 2],
        layer_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.1),
        conv_cfg=dict(type='Conv2d', bias=False),
    ),
    pts_neck=dict(
        type='SECONDFPN',
        in_channels=[64, 128],
        out_channels=[64, 64],
        upsample_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.1),
        upsample_cfg=dict(type='deconv', bias=False),
        use_conv_for_no_stride=True,
    ),
)
