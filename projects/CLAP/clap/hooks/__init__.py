"""Registered hooks."""
from .dataset_check_hook import DatasetCheckHook
from .live_progress_hook import LiveProgressHook
from .nonfinite_loss_hook import NonFiniteLossHook
from .pretrain_visualization_hook import PretrainVisualizationHook
from .run_record_hook import RunRecordHook
from .sampling_warmup_hook import SamplingWarmupHook
from .step_seed_hook import StepSeedHook

__all__ = [
    'DatasetCheckHook',
    'LiveProgressHook',
    'NonFiniteLossHook',
    'PretrainVisualizationHook',
    'RunRecordHook',
    'SamplingWarmupHook',
    'StepSeedHook',
]
