"""A trained model and its evaluation data, for the commands that look at a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch.utils.data import Dataset

from ...errors import DataError
from ..device import best_device
from .compare import load_whole
from .read import load_checkpoint_file


def restore_model(cfg: Config, checkpoint: str) -> Tuple[torch.nn.Module, Dataset]:
    """Build the model of a configuration on the GPU if there is one, load a checkpoint strictly, and build its
    evaluation dataset.

    Args:
        cfg: from :func:`load_config`.
        checkpoint: file that training wrote.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        CheckpointError: the checkpoint belongs to another model (lists the entries).
    """
    if not Path(checkpoint).is_file():
        raise FileNotFoundError(f'checkpoint {checkpoint} does not exist')
    if cfg.model.get('img_backbone'):
        cfg.model.img_backbone.init_cfg = None  # the checkpoint holds the weights, nothing needs fetching
    model = MODELS.build(cfg.model)
    load_whole(model, load_checkpoint_file(checkpoint, 'cpu'), checkpoint)
    model.to(best_device()).eval()
    return model, DATASETS.build(cfg.val_dataloader.dataset)


def single_batch(model: torch.nn.Module, dataset: Dataset, index: int) -> dict:
    """One frame as the model takes it: ``inputs`` and ``data_samples`` on its device."""
    if not 0 <= index < len(dataset):
        raise DataError(f'frame {index} does not exist: the dataset has frames 0 to {len(dataset) - 1}')
    return model.data_preprocessor(pseudo_collate([dataset[index]]), training=False)
