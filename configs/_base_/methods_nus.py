# nuScenes for the methods beside CLAP: its data, schedule and runtime, and the figures that a method has of its own.
_base_ = ['./datasets/nus.py', './schedules/clap_12e.py', './default_runtime.py']

val_evaluator = dict(type='CLAPFigureMetric')
test_evaluator = val_evaluator
default_hooks = dict(warmup=None)  # of CLAP's rays
