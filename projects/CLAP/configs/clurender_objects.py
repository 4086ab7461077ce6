# CluRender as in its paper, on single objects: PointNet by soft clusters and by colours in rendered views, for two
# CPU cores. Evaluation is a linear SVM on frozen features, beside the same on features that were never trained.
#   python tools/create_data.py objects --out data/objects
#   python tools/train.py projects/CLAP/configs/clurender_objects.py
# DGCNN: model.backbone.type=CLAPDGCNN model.backbone.channels=[32,32,64]. One of the two terms alone:
# model.splat_head=None or model.cluster_head=None. ModelNet40 has no views nor a list: clusters alone train on it,
# with data_root of its folder, ann_file='' and views=False in the data sets of both loaders.
_base_ = ['../../../configs/_base_/schedules/clap_12e.py', '../../../configs/_base_/default_runtime.py']

model = dict(
    type='ObjectCluRender',
    data_preprocessor=dict(type='mmengine.BaseDataPreprocessor'),
    backbone=dict(type='CLAPPointNet', channels=[64, 64, 128, 256]),
    cluster_head=dict(type='ClusterHead'),
    # Discs larger against the image than 4 pixels of 256, for half the points. Times eight: the sum over eight views.
    splat_head=dict(
        type='SplatHead', radius_px=1.5, sigma_px=1.06, num_pixels=512, num_projections=32, loss_weight=8.0
    ),
    num_views=2,
)
objects = dict(
    type='CLAPObjectDataset', data_root='{{$CLAP_DATA_ROOT:data}}/objects/', ann_file='objects.txt', num_points=512
)
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(objects, splits=['train']),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(objects, splits=['train', 'test']),
)
test_dataloader = val_dataloader
del objects
val_evaluator = [dict(type='LinearSVMMetric'), dict(type='CLAPFigureMetric')]
test_evaluator = val_evaluator

# The paper: 250 epochs of 50 000 objects, the rate times 0.7 every 20.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=40, val_interval=10)
# These look at driving frames.
default_hooks = dict(
    logger=dict(interval=12),
    checkpoint=dict(interval=10),
    warmup=None,
    gradient_share=None,
    dataset_check=None,
    unmasked_norm=None,
    norms_of_ranks=dict(type='SyncBuffersHook'),  # features of several ranks must be of one network
    pictures=None,
)
log_processor = dict(window_size=12)
