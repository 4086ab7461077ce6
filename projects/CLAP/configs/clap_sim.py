# The quick start: the simulated world, every part switched on, minutes on two CPU cores.
#   python tools/create_data.py sim --out data/sim --scenes 4 --frames 12
#   python tools/train.py projects/CLAP/configs/clap_sim.py
_base_ = [
    '../../../configs/_base_/datasets/sim.py',
    '../../../configs/_base_/models/clap_small.py',
    '../../../configs/_base_/schedules/clap_small.py',
    '../../../configs/_base_/default_runtime.py',
]

# What docs/results/curvature.md recommends: half of the input masked, an SDF held metric near the surface, curvature at
# the scale of a few decimetres, some LiDAR rays uniform and all of them weighted by how rare they are; and prototypes
# with a share in the encoders' gradient (docs/results/prototypes_sim). clap_nus.py is the paper's choice. Thousands of
# steps want model.render_head.rgb_weight=10, else images teach nothing; in the 144 of the quick start it costs range.
model = dict(
    voxelize_cfg=dict(point_cloud_range=_base_.point_cloud_range),
    view_transform=dict(image_size=_base_.image_size),
    masking=dict(point_ratio=0.5, image_ratio=0.5),
    render_head=dict(near_surface_weight=1.0, free_space_weight=0.2, truncation_m=1.0),
    ray_sampler=dict(mode='secant', scale_m=0.4, power=2.0, uniform_share=0.15, importance=0.75),
    prototype_head=dict(normalization='cells', temperature=0.3, swav_weight=0.5),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=8, val_interval=4)
default_hooks = dict(
    logger=dict(interval=5),
    warmup=dict(warmup_epochs=3),
    unmasked_norm=dict(num_frames=12, interval=4),
    pictures=dict(interval=60),
)
log_processor = dict(window_size=10)
