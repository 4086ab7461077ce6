# UniPAD in the simulated world, at the size of clap_sim.py; see unipad_nus.py.
_base_ = './clap_sim.py'

model = dict(
    ray_sampler=dict(_delete_=True, type='DepthRaySampler', num_lidar_rays=1024, num_camera_rays=128),
    prototype_head=None,
)
default_hooks = dict(warmup=dict(warmup_epochs=0))
