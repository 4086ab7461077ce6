# The detector on the encoders of encoder_small.py, at a size that trains on two CPU cores.
_base_ = './encoder_small.py'

model = dict(
    type='CLAPBEVFusion',
    bbox_head=dict(
        type='CLAPTransFusionHead',
        in_channels=128,
        out_size_factor=8,
        num_proposals=100,
        hidden_channel=64,
        decoder_layer=dict(num_heads=4, feedforward_channels=128, dropout=0.1, ffn_drop=0.1),
        # A cell of 1.2 m holds barriers and bicycles as it holds pedestrians and cones of the paper's 0.6 m.
        small_classes=[5, 6, 7, 8, 9],
    ),
)
