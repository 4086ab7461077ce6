# For docs/curvature.md: joint pre-training with uniform rays, beside depth-aware ones and the two kinds of curvature.
_base_ = ['./pretrain_sim_joint_depth.py']

model = dict(ray_sampler=dict(type='UniformRaySampler'))
