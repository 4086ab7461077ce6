# PandaSet for the methods beside CLAP; the two frames that are measured are not trained on. See methods_nus.py.
_base_ = ['./datasets/pandaset.py', './schedules/clap_small.py', './default_runtime.py']

train_dataloader = dict(dataset=dict(ann_file='pandaset_infos_train.pkl'))
val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=40, val_interval=5)
default_hooks = dict(
    logger=dict(interval=6),
    checkpoint=dict(interval=5),
    warmup=None,
    unmasked_norm=dict(num_frames=12, interval=5),
    pictures=dict(interval=120),
)
log_processor = dict(window_size=6)
