# Does each method learn in the simulated world? Its own figure on what is held back, and a probe of points.
#   python tools/create_data.py superpixels --config projects/CLAP/configs/slidr_sim.py
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/methods_sim.py \
#     --work-dir work_dirs/methods_sim --jobs 2
# Keys: see sim.py.
_base_ = ['./segmentation_sim.py']

name = 'methods_sim'
title = 'Eight methods in the simulated world'
make_data = (
    'python tools/create_data.py sim --out {data_root} --scenes 30 --frames 4 --seed 5 --val-fraction 0.2 --jobs 2'
)
note = (
    'Fixed before the runs: configurations as they are, length (CLAP draws uniform rays in the same share of it), '
    'frames. One seed: nothing is said of the order. The probe reads the map of the sparse encoder, whose last layer '
    'Occupancy-MAE leaves as it was drawn. cmcr_apart is CMCR with codewords of each modality for itself, as in the '
    'left half of its Fig. 6.'
)

same = dict(epochs=6)
pretrain = dict(
    _delete_=True,
    clap=dict(same, config='../clap_sim.py', options=['default_hooks.warmup.warmup_epochs=2']),
    unipad=dict(same, config='../unipad_sim.py'),
    ppkt=dict(same, config='../ppkt_sim.py'),
    slidr=dict(same, config='../slidr_sim.py'),
    also=dict(same, config='../also_sim.py'),
    occupancy_mae=dict(same, config='../occupancy_mae_sim.py'),
    cmcr=dict(same, config='../cmcr_sim.py'),
    cmcr_apart=dict(same, config='../cmcr_sim.py', options=['model.unified=False']),
    clurender=dict(same, config='../clurender_sim.py'),
)
points = dict(_delete_=True, labels=4, seeds=3, layers=2)
del same
