# For docs/results/curvature.md: joint pre-training with rays drawn by the surface variation (PCA) of the raw points,
# which needs neither a field nor a warm-up.
_base_ = './pretrain_sim_joint_depth.py'

model = dict(ray_sampler=dict(type='SurfaceVariationRaySampler'))
