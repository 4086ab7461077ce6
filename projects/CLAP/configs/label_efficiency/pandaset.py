# A sanity check on real frames, no result: 12 labelled frames to train on and 2 to measure, all of one recording.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/label_efficiency/pandaset.py \
#     --work-dir work_dirs/label_efficiency_pandaset --jobs 2
# Keys: see sim.py.
name = 'pandaset'
title = 'PandaSet, 14 real frames'
readme = 'projects/CLAP/README.md'
note = (
    'A sanity check, no benchmark: 12 training and 2 validation frames of one recording; '
    "nuScenes' average precision from the info file (no NDS). Learning rates are those of the simulated world: "
    '1e-3 for random initialisation, 3e-4 for pre-trained encoders and 9e-4 for their head.'
)

pretrain = dict(
    unipad_lidar=dict(config='pretrain_pandaset_unipad_lidar.py', epochs=40, options=[]),
    unipad_camera=dict(config='pretrain_pandaset_unipad_camera.py', epochs=40, options=[]),
    joint_depth=dict(config='pretrain_pandaset_joint_depth.py', epochs=40, options=[]),
    joint_curvature=dict(config='pretrain_pandaset_joint_curvature.py', epochs=40, options=[]),
    clap=dict(config='pretrain_pandaset_clap.py', epochs=40, options=[]),
)

arms = [
    dict(name='random', title='random initialisation', paper=[(5, 48.69, 55.28)]),
    dict(
        name='unipad',
        title='UniPAD-style, separate, merged',
        weights=dict(
            unipad_lidar=['pts_middle_encoder', 'pts_backbone', 'pts_neck'],
            unipad_camera=['img_backbone', 'img_neck', 'view_transform'],
        ),
        paper=[(5, 49.81, 55.29)],
        options=['optim_wrapper.optimizer.lr=3e-4', 'optim_wrapper.paramwise_cfg.custom_keys.bbox_head.lr_mult=3.0'],
    ),
    dict(
        name='joint_depth',
        title='joint, depth-aware rays',
        weights='joint_depth',
        paper=[(5, 49.55, None)],
        options=['optim_wrapper.optimizer.lr=3e-4', 'optim_wrapper.paramwise_cfg.custom_keys.bbox_head.lr_mult=3.0'],
    ),
    dict(
        name='joint_curvature',
        title='joint, curvature sampling',
        weights='joint_curvature',
        paper=[(5, 50.81, None)],
        options=['optim_wrapper.optimizer.lr=3e-4', 'optim_wrapper.paramwise_cfg.custom_keys.bbox_head.lr_mult=3.0'],
    ),
    dict(
        name='clap',
        title='CLAP: + prototypes',
        weights='clap',
        paper=[(5, 51.17, 57.04)],
        options=['optim_wrapper.optimizer.lr=3e-4', 'optim_wrapper.paramwise_cfg.custom_keys.bbox_head.lr_mult=3.0'],
    ),
]

baseline = 'random'
shares = [1, 4]
headline = 4  # 3 frames
headline_seeds = 3
other_seeds = 2
other_arms = ['random', 'clap']

# Six iterations an epoch.
finetune = dict(config='finetune_pandaset.py', epochs=40, val_interval=40, options=[])
probe = None
schedule = None
workers = 0
