# CLAP as in the paper. Numbers the paper prints are marked with where; the others are this project's choice.
_base_ = './encoder_voxel0075_swint.py'

model = dict(
    type='CLAP',
    masking=dict(point_ratio=0.9, image_ratio=0.9, block=(8, 8, 8), patch=32),  # 0.9: supplement 1
    depth_source='masked',
    heldout_ratio=0.02,
    render_head=dict(
        type='NeuSRenderHead',
        in_channels=512,  # d_F, section 4.1
        volume_channels=32,
        num_z=16,
        num_samples=72,
        num_upsamples=24,  # N_ray = 96, section 4.1
        initial_variance=0.3,
        loss_weight=2.0,  # omega_r, section 4.1
        surface_weight=0.05,  # omega_sur, section 4.1
        rgb_weight=0.05,  # omega_C, section 4.1
    ),
    ray_sampler=dict(
        type='CurvatureRaySampler',
        num_lidar_rays=8192,  # N_L, section 4.1
        num_camera_rays=1024,  # N_C / N_cam, section 4.1
        mode='jacobian',
        power=1.0,  # Eq. 12; the class' defaults are those of docs/results/curvature.md
        uniform_share=0.0,
        importance=0.0,
        blur_kernel_px=15,
        blur_sigma_px=3.0,
    ),
    prototype_head=dict(
        type='PrototypeHead',
        lidar_channels=256,  # d_P, section 4.1
        camera_channels=80,  # d_I, section 4.1
        embed_channels=128,  # d_K, section 4.1
        num_prototypes=512,  # N_K, section 4.1
        sinkhorn_iters=3,  # N_sink, section 4.1
        temperature=1.0,  # tau, section 4.1
        epsilon=0.05,
        normalization='entries',  # Eqs. 15 and 16 as printed
        cells='all',  # N_3D as printed
        squared_gram=False,  # Eq. 17 as printed
        loss_weight=1.0,  # omega_proto, section 4.1
        swav_weight=1.0,  # omega_SwAV, section 4.1
        em_weight=0.1,  # omega_EM, section 4.1
        gram_weight=0.1,  # omega_GMM, section 4.1
    ),
)
