# SLidR: as ppkt_nus.py, but superpixels are compared. docs/methods/slidr.md
#   python tools/create_data.py superpixels --config projects/CLAP/configs/slidr_nus.py
#   tools/dist_train.sh projects/CLAP/configs/slidr_nus.py 8
_base_ = './ppkt_nus.py'

model = dict(type='SLidR')
superpixels = dict(_delete_=True, type='CLAPLoadSuperpixels', folder=_base_.data_root + 'superpixels', num_segments=30)
train_dataloader = dict(dataset=dict(pipeline=dict(superpixels=superpixels)))
val_dataloader = dict(dataset=dict(pipeline=dict(superpixels=superpixels)))
test_dataloader = val_dataloader
del superpixels
