"""CLAP: joint unsupervised pre-training of LiDAR, camera and fusion encoders.

Importing this package registers every module, dataset, transform and hook of
the project with mmdetection3d (configs do so by ``custom_imports``). Where
mmdetection3d is not installed only :mod:`.functional`, which needs nothing but
torch, is available.
"""

import os
from importlib.util import find_spec

# Before torch is loaded: waiting OpenMP threads must not take the cores from each other and from data loaders.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
if find_spec('mmdet3d') is not None:
    from . import datasets, downstream, encoders, engine, evaluation, pretrain, visualization  # noqa: F401

__version__ = '0.1.0'
