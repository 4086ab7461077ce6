# What encoders know of the classes of points after pre-training in the simulated world: a probe of points.
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/segmentation_sim.py \
#     --work-dir work_dirs/segmentation_sim --jobs 2
# Keys: see sim.py.
_base_ = ['./sim.py']

name = 'segmentation_sim'
title = 'Probe of points in the simulated world'
make_data = (
    'python tools/create_data.py sim --out {data_root} --scenes 70 --frames 2 --seed 11 --val-fraction 0.2 '
    '--image-width 256 --azimuth-steps 545 --lidar-range 28'
)
note = 'Fixed before the runs: settings (of prototypes_sim, prototypes that act), length, frames and seeds.'
same_data = []

seeds = [0, 1, 2]
pretrain = dict(
    _delete_=True,
    unipad_lidar=dict(
        config='pretrain_sim_unipad_lidar.py', epochs=4, seeds=seeds, options=_base_.pretrain.unipad_lidar.options
    ),
    clap=dict(
        config='pretrain_sim_clap.py',
        epochs=4,
        seeds=seeds,
        options=[
            *_base_.pretrain.joint_curvature.options,
            'default_hooks.warmup.warmup_epochs=1',
            'model.prototype_head.normalization=cells',
            'model.prototype_head.temperature=0.3',
            'model.prototype_head.swav_weight=0.5',
        ],
    ),
)
points = dict(labels=4, seeds=3, layers=2)
arms = [dict(name='random')]
baseline = 'random'
subject = 'random'
rows = []
finetune = None
probe = None
del seeds
