# What CMCR's unified codebook does on real frames (its Fig. 6): codewords of both modalities, or of each for itself. As
# methods_pandaset.py otherwise, half as long.
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/codewords_pandaset.py \
#     --work-dir work_dirs/codewords_pandaset --jobs 2
# Keys: see sim.py.
_base_ = ['./methods_pandaset.py']

name = 'codewords_pandaset'
title = 'Codewords of both modalities, and of each for itself, on real frames'
note = 'Fixed before the runs: configuration, length and frames, one recording. One seed.'

run = dict(config='../cmcr_pandaset.py', epochs=10, options=_base_.pretrain.cmcr.options)
pretrain = dict(
    _delete_=True,
    unified=run,
    apart=dict(run, options=[*run['options'], 'model.unified=False']),
)
del run
