# For docs/results/curvature.md: joint pre-training with uniform rays.
_base_ = './pretrain_sim_joint_depth.py'

model = dict(ray_sampler=dict(type='UniformRaySampler'))
