"""Registered hooks."""
from .dataset_check_hook import DatasetCheckHook
from .nonfinite_loss_hook import NonFiniteLossHook
from .sampling_warmup_hook import SamplingWarmupHook
from .step_seed_hook import StepSeedHook

__all__ = ['DatasetCheckHook', 'NonFiniteLossHook', 'SamplingWarmupHook', 'StepSeedHook']
