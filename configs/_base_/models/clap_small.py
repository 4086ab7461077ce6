# The same network, every part switched on, at a size that trains on two CPU cores:
# BEV of 90 x 90 cells of 1.2 m, a narrow Swin, 16 channels in the volume.
model = dict(
    type='CLAP',
    data_preprocessor=dict(
        type='CLAPDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    voxelize_cfg=dict(
        max_num_points=10,
        max_voxels=[60000, 60000],
        voxel_size=[0.15, 0.15, 0.2],  # x, y: 8 voxels are a BEV cell
        point_cloud_range=[-54.0, -54.0, -5.0, 54.0, 54.0, 3.0]),
    pts_middle_encoder=dict(
        type='CLAPSparseEncoder',
        in_channels=5,
        sparse_shape=[720, 720, 41],
        # A run of minutes has too few steps for the running statistics of momentum 0.01.
        norm_cfg=dict(type='BN1d', eps=1e-3, momentum=0.1),
        base_channels=8,
        output_channels=32,
        encoder_channels=((8, 8, 16), (16, 16, 32), (32, 32, 48), (48, 48)),
        encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, (1, 1, 0)), (0, 0))),
    img_backbone=dict(
        type='mmdet.SwinTransformer',
        embed_dims=32,
        depths=[2, 2, 2, 2],
        num_heads=[2, 4, 8, 16],
        window_size=7,
        drop_path_rate=0.0,
        out_indices=[1, 2, 3],
        convert_weights=False,
        init_cfg=None),
    img_neck=dict(
        type='CLAPLSSFPN', in_channels=[64, 128, 256], out_channels=64),
    view_transform=dict(
        type='CLAPDepthLSSTransform',
        in_channels=64,
        out_channels=32,
        image_size=[128, 352],
        feature_size=[16, 44],
        xbound=[-54.0, 54.0, 0.6],
        ybound=[-54.0, 54.0, 0.6],
        zbound=[-10.0, 10.0, 20.0],
        dbound=[1.0, 60.0, 1.0],
        downsample=2),
    fusion_layer=dict(type='CLAPConvFuser', in_channels=[32, 64], out_channels=64),
    pts_backbone=dict(
        type='SECOND', in_channels=64, out_channels=[64, 128], layer_nums=[2, 2], layer_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.1), conv_cfg=dict(type='Conv2d', bias=False)),
    pts_neck=dict(
        type='SECONDFPN', in_channels=[64, 128], out_channels=[64, 64], upsample_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.1),
        upsample_cfg=dict(type='deconv', bias=False), use_conv_for_no_stride=True),
    masking=dict(point_ratio=0.9, image_ratio=0.9, block=(8, 8, 8), patch=32),
    depth_source='masked',
    heldout_ratio=0.02,
    render_head=dict(
        type='NeuSRenderHead',
        in_channels=128,
        point_cloud_range=[-54.0, -54.0, -5.0, 54.0, 54.0, 3.0],
        volume_channels=16,
        num_z=16,
        hidden_channels=32,
        num_samples=72,
        num_upsamples=24,
        loss_weight=2.0,
        surface_weight=0.05,
        rgb_weight=0.05),
    ray_sampler=dict(
        type='CurvatureRaySampler', num_lidar_rays=1024, num_camera_rays=128, blur_kernel_px=15, blur_sigma_px=3.0),
    prototype_head=dict(
        type='PrototypeHead',
        lidar_channels=64,
        camera_channels=32,
        embed_channels=64,
        hidden_channels=64,
        num_prototypes=64,
        sinkhorn_iters=3,
        temperature=0.1,
        normalization='cells',
        cells='occupied',
        loss_weight=1.0,
        swav_weight=1.0,
        em_weight=0.1,
        gram_weight=0.1))
