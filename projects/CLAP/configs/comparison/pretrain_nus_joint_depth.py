# Row 2 of the paper's Table 4: joint pre-training with UniPAD's depth-aware rays, without prototypes. Such rays need no
# surface, hence no warm-up.
_base_ = './pretrain_nus_joint_curvature.py'

model = dict(ray_sampler=dict(_delete_=True, type='DepthRaySampler', num_lidar_rays=8192, num_camera_rays=1024))
default_hooks = dict(warmup=dict(warmup_epochs=0))
