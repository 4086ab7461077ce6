# clap_pandaset.py with what docs/curvature.md recommends for curvature sampling: an SDF held metric near the surface,
# and curvature at the scale of a cell. Everything else is the same.
_base_ = ['../clap_pandaset.py']

model = dict(
    render_head=dict(near_surface_weight=1.0, free_space_weight=0.2, truncation_m=1.0),
    ray_sampler=dict(mode='secant', scale_m=0.6, smoothing=1, power=2.0))
