# SLidR: as ppkt_sim.py, but superpixels are compared. docs/methods/slidr.md
#   python tools/create_data.py superpixels --config projects/CLAP/configs/slidr_sim.py
#   python tools/train.py projects/CLAP/configs/slidr_sim.py
_base_ = './ppkt_sim.py'

model = dict(type='SLidR')
superpixels = dict(_delete_=True, type='CLAPLoadSuperpixels', folder=_base_.data_root + 'superpixels', num_segments=30)
train_dataloader = dict(dataset=dict(pipeline=dict(superpixels=superpixels)))
val_dataloader = dict(dataset=dict(pipeline=dict(superpixels=superpixels)))
test_dataloader = val_dataloader
del superpixels
