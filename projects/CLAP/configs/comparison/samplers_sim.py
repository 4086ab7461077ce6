# Ray samplers side by side on the simulated world: the range error of held-back rays after joint pre-training with each
# (without prototypes), and a probe of what the encoders have learned. Nothing is fine-tuned.
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/samplers_sim.py \
#     --work-dir work_dirs/samplers_sim --jobs 2
# The keys are those of sim.py.
name = 'samplers_sim'
title = 'Ray samplers on the simulated world'
make_data = (
    'python tools/create_data.py sim --out {data_root} --scenes 80 --frames 8 --seed 11 --val-fraction 0.2 '
    '--image-width 256 --jobs 2'
)

# Uniform and curvature three times: their difference is what is asked. Curvature sampling draws uniformly in its first
# two epochs (warm-up), as in the paper; surface variation (PCA of the raw points) and depth need no warm-up.
pretrain = dict(
    joint_uniform=dict(config='pretrain_sim_joint_uniform.py', epochs=4, seeds=[0, 1, 2]),
    joint_curvature=dict(config='pretrain_sim_joint_curvature.py', epochs=4, seeds=[0, 1, 2]),
    joint_surface_variation=dict(config='pretrain_sim_joint_surface_variation.py', epochs=4),
    joint_depth=dict(config='pretrain_sim_joint_depth.py', epochs=4),
)
arms = [
    dict(name='random', title='random initialisation'),
    dict(name='joint_uniform', title='joint, uniform rays', weights='joint_uniform'),
    dict(name='joint_curvature', title='joint, curvature sampling', weights='joint_curvature'),
    dict(name='joint_surface_variation', title='joint, surface variation (PCA)', weights='joint_surface_variation'),
    dict(name='joint_depth', title='joint, depth-aware rays', weights='joint_depth'),
]
baseline = 'joint_uniform'
subject = 'joint_curvature'

# The probe has all labels: what it shows is the encoders, not the luck of a few frames.
probe = dict(config='finetune_sim.py')
rows = [dict(arms=[arm['name'] for arm in arms], share=1, epochs=1, seeds=[0, 1, 2], frozen=True)]
