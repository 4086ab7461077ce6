# clap_nus.py with what works better than the paper's values: masking, an SDF held metric and curvature sampling as
# docs/results/curvature.md recommends (see clap_sim.py), and colour and prototypes that act. With the paper's weights
# range has 99.7 % of the gradient at the encoders' maps, colour 0.1 %, Eq. 16 a millionth (EQUATIONS.md).
#   tools/dist_train.sh projects/CLAP/configs/clap_nus_recommended.py 8
_base_ = './clap_nus.py'

model = dict(
    masking=dict(point_ratio=0.5, image_ratio=0.5),
    render_head=dict(rgb_weight=10.0, near_surface_weight=1.0, free_space_weight=0.2, truncation_m=1.0),
    ray_sampler=dict(mode='secant', scale_m=0.4, power=2.0, uniform_share=0.15, importance=0.75),
    prototype_head=dict(normalization='cells', cells='occupied', batch_norm=True, temperature=0.3),
)
