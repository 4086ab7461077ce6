# CMCR's Table 6 on the simulated world: what each part adds, told by the runs' own held-back figures and a probe of
# points.
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/cmcr_ladder.py \
#     --work-dir work_dirs/cmcr_ladder --jobs 2
# Keys: see sim.py.
_base_ = ['./sim.py']

name = 'cmcr_ladder'
title = "The parts of CMCR, one after the other, on the simulated world"
make_data = (
    'python tools/create_data.py sim --out {data_root} --scenes 70 --frames 2 --seed 11 --val-fraction 0.2 '
    '--image-width 256 --azimuth-steps 545 --lidar-range 28'
)
note = (
    'Rows 1 to 5 are those of the Table 6 of CMCR. Row 5 sees a class for every training point, the '
    "simulator's own in the place of labels that an image model has told: what it gains over row 4 is not free. "
    'Settings and the number of steps were fixed before the runs.'
)
same_data = []

contrast = ['model.reconstruct=False', 'model.num_codewords=0', 'model.geometry=False', 'model.orthogonal=False']
reconstruct = ['model.num_codewords=0', 'model.geometry=False', 'model.orthogonal=False']
codebook = ['model.geometry=False', 'model.orthogonal=False']
geometry = ['model.orthogonal=False']
run = dict(config='pretrain_sim_cmcr.py', epochs=4, seeds=[0, 1, 2])
pretrain = dict(
    _delete_=True,
    row1_contrast=dict(run, options=contrast),
    row2_reconstructions=dict(run, options=reconstruct),
    row3_codebook=dict(run, options=codebook),
    row4_geometry=dict(run, options=geometry),
    row5_full=dict(run, config='pretrain_sim_cmcr_labels.py'),
)
arms = [
    dict(name='contrast', title='contrast alone', weights='row1_contrast', same_seed=True),
    dict(name='full', title='CMCR', weights='row5_full', same_seed=True),
]
baseline = 'contrast'
subject = 'full'
rows = []
finetune = None
probe = None
points = dict(labels=4, seeds=3, layers=2)
del contrast, reconstruct, codebook, geometry, run
