# The simulated world for the methods beside CLAP, minutes on two CPU cores. See methods_nus.py.
_base_ = ['./datasets/sim.py', './schedules/clap_small.py', './default_runtime.py']

val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=8, val_interval=4)
default_hooks = dict(
    logger=dict(interval=5),
    warmup=None,
    unmasked_norm=dict(num_frames=12, interval=4),
    pictures=dict(interval=60),
)
log_processor = dict(window_size=10)
