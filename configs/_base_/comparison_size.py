# The size of the comparisons: keyframes without further sweeps, 36 m around, small images and one residual block a
# stage, so that a whole comparison fits into hours of two CPU cores. Pre-trainer and detector merge these changes.
range_36m, small_image = [-36.0, -36.0, -5.0, 36.0, 36.0, 3.0], [64, 160]  # from 144 x 256
smaller = dict(
    point_cloud_range=range_36m,
    image_size=small_image,
    model=dict(
        voxelize_cfg=dict(point_cloud_range=range_36m),
        pts_middle_encoder=dict(
            encoder_channels=((8, 16), (16, 32), (32, 48), (48,)),
            encoder_paddings=((0, 1), (0, 1), (0, (1, 1, 0)), (0,)),
        ),
        img_backbone=dict(window_size=4),  # windows of 7 would be mostly padding
        view_transform=dict(image_size=small_image, dbound=[1.0, 49.0, 2.0]),
    ),
    train_pipeline=dict(
        sweeps=None,
        image_aug=dict(final_dim=small_image, resize_lim=[0.625, 0.7]),
        point_range=dict(point_cloud_range=range_36m),
    ),
    val_pipeline=dict(
        sweeps=None,
        image_aug=dict(final_dim=small_image, resize_lim=[0.66, 0.66]),
        point_range=dict(point_cloud_range=range_36m),
    ),
    # TensorBoard's import takes seconds of every run.
    vis_backends=[dict(type='LocalVisBackend')],
)
del range_36m, small_image
