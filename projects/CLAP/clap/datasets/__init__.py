"""Data sets, transforms and checks. Importing this module registers them with mmdet3d."""

from ..errors import DataError, DatasetError
from . import transforms
from .checks import FrameReport, check_dataset, check_frame
from .clap_dataset import CLAPDataset
from .objects import CLAPObjectDataset
from .seeded_sampler import SeededSampler

__all__ = [
    'CLAPDataset',
    'CLAPObjectDataset',
    'DataError',
    'DatasetError',
    'FrameReport',
    'SeededSampler',
    'check_dataset',
    'check_frame',
    'transforms',
]
