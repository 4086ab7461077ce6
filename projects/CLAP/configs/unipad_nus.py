# UniPAD on nuScenes: the renderer of CLAP, rays to pixels with depth, no prototypes; LiDAR and camera together. One
# sensor at a time, as UniPAD's own configurations train: comparison/pretrain_nus_unipad_{lidar,camera}.py.
_base_ = './clap_nus.py'

model = dict(
    ray_sampler=dict(_delete_=True, type='DepthRaySampler', num_lidar_rays=8192, num_camera_rays=1024),
    prototype_head=None,
)
default_hooks = dict(warmup=dict(warmup_epochs=0))  # such rays need no surface
