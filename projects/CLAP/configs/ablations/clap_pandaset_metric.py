# clap_pandaset.py with what docs/results/curvature.md recommends for curvature sampling, as in clap_sim.py: half of the input
# masked, an SDF held metric near the surface, curvature at the scale of a few decimetres, some LiDAR rays uniform and
# all of them weighted by how rare they are.
_base_ = '../clap_pandaset.py'

model = dict(
    masking=dict(point_ratio=0.5, image_ratio=0.5),
    render_head=dict(near_surface_weight=1.0, free_space_weight=0.2, truncation_m=1.0),
    ray_sampler=dict(mode='secant', scale_m=0.4, power=2.0, uniform_share=0.15, importance=0.75),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
