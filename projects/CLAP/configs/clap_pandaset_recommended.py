# clap_pandaset.py with what docs/results recommends for curvature sampling and prototypes; see clap_sim.py.
_base_ = './clap_pandaset.py'

model = dict(
    masking=dict(point_ratio=0.5, image_ratio=0.5),
    render_head=dict(near_surface_weight=1.0, free_space_weight=0.2, truncation_m=1.0),
    ray_sampler=dict(mode='secant', scale_m=0.4, power=2.0, uniform_share=0.15, importance=0.75),
    prototype_head=dict(normalization='cells', temperature=0.3, swav_weight=0.5),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
# The field of a few frames may prefer what is flat: uniform rays until its curvature means something.
default_hooks = dict(warmup=dict(until_rank_correlation=0.4))
