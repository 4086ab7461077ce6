# UniPAD on PandaSet, masks, loss and learning rate as in clap_pandaset_recommended.py; see unipad_nus.py.
_base_ = './clap_pandaset_recommended.py'

model = dict(
    ray_sampler=dict(_delete_=True, type='DepthRaySampler', num_lidar_rays=1024, num_camera_rays=128),
    prototype_head=None,
)
default_hooks = dict(warmup=dict(warmup_epochs=0, until_rank_correlation=None))
