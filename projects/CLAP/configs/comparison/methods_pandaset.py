# Does each method learn on real frames? Its own figure on what is held back, and a probe of points; all of one
# recording, pre-trained and labelled among its frames 00 to 40, probed on 44, 48 and 52. CLAP and UniPAD:
# segmentation_pandaset.py.
#   python tools/create_data.py pandaset --root /path/to/pandaset --out data/pandaset
#   python tools/create_data.py superpixels --config projects/CLAP/configs/slidr_pandaset.py
#   python tools/analysis_tools/label_efficiency.py projects/CLAP/configs/comparison/methods_pandaset.py \
#     --work-dir work_dirs/methods_pandaset --jobs 2
# Keys: see sim.py.
_base_ = ['./segmentation_pandaset.py']

name = 'methods_pandaset'
title = 'The methods beside CLAP and UniPAD on eleven real frames'
note = 'Fixed before the runs: configurations as they are, length, frames. One seed: nothing is said of the order.'

early = ['train_dataloader.dataset.indices=11']
late = ['val_dataloader.dataset.ann_file=pandaset_infos_all.pkl', 'val_dataloader.dataset.indices=[11,12,13]']
same = dict(epochs=20, options=[*early, 'val_dataloader.dataset.indices=11'])
pretrain = dict(
    _delete_=True,
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
del early, late, same
