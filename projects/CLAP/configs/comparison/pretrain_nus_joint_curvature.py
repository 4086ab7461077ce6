# Row 3 of the paper's Table 4: joint pre-training with curvature sampling, without prototypes.
_base_ = '../clap_nus.py'

model = dict(prototype_head=None)
