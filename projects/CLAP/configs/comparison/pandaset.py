# A sanity check on real frames, no result: 12 labelled frames to train on and 2 to measure, all of one recording.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/pandaset.py \
#     --work-dir work_dirs/label_efficiency_pandaset --jobs 2
# Keys, and the arms: see sim.py.
_base_ = ['./sim.py']

name = 'pandaset'
title = 'Label efficiency on PandaSet, 14 real frames'
make_data = 'python tools/create_data.py pandaset --root /path/to/pandaset --out {data_root}'
note = (
    'A sanity check, no benchmark: 12 training and 2 validation frames of one recording, so that p says nothing about '
    "any other. Average precision is nuScenes', from the info file (no NDS)."
)

# Its configurations have a warm-up, a colour weight and masks of their own.
curved = ['model.ray_sampler.uniform_share=0.25', 'model.ray_sampler.importance=0.0']
pretrain = dict(
    _delete_=True,
    unipad_lidar=dict(config='pretrain_pandaset_unipad_lidar.py', epochs=40),
    unipad_camera=dict(config='pretrain_pandaset_unipad_camera.py', epochs=40),
    joint_depth=dict(config='pretrain_pandaset_joint_depth.py', epochs=40),
    joint_curvature=dict(config='pretrain_pandaset_joint_curvature.py', epochs=40, options=curved),
    clap=dict(config='pretrain_pandaset_clap.py', epochs=40, options=curved),
)

arms = _base_.arms[:5]
five = ['random', 'unipad', 'joint_depth', 'joint_curvature', 'clap']
rows = [
    dict(arms=five, share=4, epochs=40, seeds=[0, 1, 2]),  # 3 frames; six iterations an epoch
    dict(arms=['random', 'clap'], share=1, epochs=40, seeds=[0, 1]),
]
finetune = dict(_delete_=True, config='finetune_pandaset.py')
probe = None
del curved, five
