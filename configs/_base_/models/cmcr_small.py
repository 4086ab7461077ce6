# CMCR on the encoders of encoder_small.py.
_base_ = './encoder_small.py'

model = dict(
    type='CMCR',
    view_transform=None,  # images stay in the image plane
    fusion_layer=None,
    delta_m=0.5,  # to be told by cells of 1.2 m
    decay=0.99,  # hundreds of steps: codewords must follow faster than the paper's 0.999
    image_weight=10.0,  # as printed, all weights 1, contrast has all of the encoders' gradient
    occupancy_weight=10.0,
)
