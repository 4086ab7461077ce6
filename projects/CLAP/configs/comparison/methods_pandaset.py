# Does each method learn on real frames? Its own figure on what is held back, and a probe of points; all of one
# recording, pre-trained and labelled among its frames 00 to 40, probed on 44, 48 and 52.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/create_data.py superpixels --config projects/CLAP/configs/slidr_pandaset.py
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/methods_pandaset.py \
#     --work-dir work_dirs/methods_pandaset --jobs 2
# Keys: see sim.py.
_base_ = ['./segmentation_pandaset.py']

name = 'methods_pandaset'
title = 'Eight methods on eleven real frames'
note = (
    'Fixed before the runs: configurations as they are, length (CLAP draws uniform rays in the same share of it), '
    'frames; CLAP and UniPAD were added, and the judgement of occupancy was changed, when PPKT and SLidR had run. '
    'One seed: nothing is said of the order. The probe reads the map of the sparse encoder, whose last layer '
    'Occupancy-MAE leaves as it was drawn; it has fourteen classes, segmentation_pandaset seven.'
)

early = ['train_dataloader.dataset.indices=11']
late = ['val_dataloader.dataset.ann_file=pandaset_infos_all.pkl', 'val_dataloader.dataset.indices=[11,12,13]']
same = dict(epochs=20, options=[*early, 'val_dataloader.dataset.indices=11'])
# Those that hold back rays instead of frames name the file of all frames.
rays = [*same['options'], 'train_dataloader.dataset.ann_file=pandaset_infos_train.pkl']
pretrain = dict(
    _delete_=True,
    clap=dict(
        same,
        config='../clap_pandaset_recommended.py',
        options=[*rays, 'default_hooks.warmup.warmup_epochs=12'],
    ),
    unipad=dict(same, config='../unipad_pandaset.py', options=rays),
    ppkt=dict(same, config='../ppkt_pandaset.py'),
    slidr=dict(same, config='../slidr_pandaset.py'),
    also=dict(same, config='../also_pandaset.py'),
    occupancy_mae=dict(same, config='../occupancy_mae_pandaset.py'),
    cmcr=dict(same, config='../cmcr_pandaset.py'),
    clurender=dict(same, config='../clurender_pandaset.py'),
)
points = dict(_delete_=True, labels=1, seeds=3, layers=2, options=[*early, *late])
arms = [dict(name='random')]
baseline = 'random'
subject = 'random'
rows = []
finetune = None
del early, late, same, rays
