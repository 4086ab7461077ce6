"""Registered hooks."""
from .nonfinite_loss_hook import NonFiniteLossHook
from .sampling_warmup_hook import SamplingWarmupHook
from .step_seed_hook import StepSeedHook

__all__ = ['NonFiniteLossHook', 'SamplingWarmupHook', 'StepSeedHook']
