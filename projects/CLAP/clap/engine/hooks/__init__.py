"""Registered hooks."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .dataset_check_hook import DatasetCheckHook
from .frozen_norm_hook import FrozenNormHook
from .gradient_share_hook import GradientShareHook
from .head_first_hook import HeadFirstHook
from .live_progress_hook import LiveProgressHook
from .nonfinite_loss_hook import NonFiniteLossHook
from .run_record_hook import RunRecordHook
from .sampling_warmup_hook import SamplingWarmupHook
from .skipped_frames_hook import SkippedFramesHook
from .step_seed_hook import StepSeedHook
from .transfer_report_hook import TransferReportHook
from .unmasked_norm_hook import UnmaskedNormHook

__all__ = [
    'AtomicCheckpointHook',
    'DatasetCheckHook',
    'FrozenNormHook',
    'HeadFirstHook',
    'GradientShareHook',
    'LiveProgressHook',
    'NonFiniteLossHook',
    'RunRecordHook',
    'SamplingWarmupHook',
    'SkippedFramesHook',
    'StepSeedHook',
    'TransferReportHook',
    'UnmaskedNormHook',
]
