"""What frozen encoders know of the points' classes: a small classifier on their features, few labelled frames."""

from __future__ import annotations

import contextlib
import copy
import warnings
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from torch import Tensor, nn

from ..engine.checkpoint.compare import compare, loadable_state, problems, table
from ..engine.checkpoint.read import load_checkpoint_file
from ..engine.device import best_device
from ..engine.hooks.unmasked_norm_hook import estimate_norm_statistics
from ..errors import CheckpointError, ConfigError
from ..evaluation.seg_metric import confusion
from ..files.text_table import text_table
from ..structures import NO_CLASS
from .probe_features import FEATURES, point_features

#: Kinds of start that are compared: a point's height and intensity alone, random encoders, the checkpoint's.
STARTS = ('point', 'random', 'checkpoint')
_STEPS, _BATCH = 300, 8192
#: Steps of an evaluation pipeline that would take points away, or need boxes.
_LEFT_OUT = ('PointsRangeFilter', 'LoadAnnotations3D', 'ObjectRangeFilter', 'ObjectNameFilter')
#: Steps that images need, left out where the encoders that are asked see none.
_OF_IMAGES = ('CLAPLoadMultiViewImages', 'CLAPImageAug3D', 'CLAPLoadSuperpixels')
_LEARNING_RATE = {1: 1e-2, 2: 3e-3}


def probe(
    cfg: Config, checkpoint: str, labels: int, seeds: int, kind: str = 'lidar', layers: int = 1, hidden: int = 128
) -> Dict[str, Any]:
    """mIoU of a classifier on frozen encoders, with the checkpoint's weights, random ones, and without encoders.

    Frames without augmentation. Labelled frames are drawn from the training set, without those that are measured; a
    seed draws them, the random encoders and the classifier's initialisation, alike for every start. Running statistics
    of batch norm are re-estimated on the frames that may be drawn, for all encoders: those of new ones are no
    statistics. The classifier sees standardised features, and a point's height and intensity.

    Args:
        cfg: configuration of a pre-training or a downstream model, with ``segmentation.semantic_classes``, from
            :func:`load_config`.
        checkpoint: whose encoders are asked.
        labels: frames with labels.
        seeds: how often.
        kind: ``'lidar'`` (the LiDAR's BEV at the point), ``'fused'`` (the neck's) or ``'voxel'`` (all stages of the
            sparse encoder).
        layers: 1 (linear) or 2.
        hidden: width between two layers.

    Returns:
        ``miou`` of every start (a list over seeds, percent), ``iou`` by class (means), ``frames`` and ``points``.

    Raises:
        CheckpointError: an encoder that is asked is not in the checkpoint whole.
        ConfigError: no semantic classes, too few frames, or a model without the features.
    """
    if kind not in FEATURES or layers not in _LEARNING_RATE:
        raise ConfigError(f'features must be one of {", ".join(FEATURES)} and layers 1 or 2, got {kind!r}, {layers}')
    candidates, measured = labelled_sets(cfg, kind)
    names = list(candidates.semantic_classes)
    drawable = _drawable(candidates, measured)
    if labels < 1 or labels > len(drawable):
        raise ConfigError(f'{labels} labelled frames asked for; {len(drawable)} can be drawn, 1 is the least')
    if seeds < 1:
        raise ConfigError(f'seeds must be at least 1, got {seeds}')
    found: Dict[str, List[np.ndarray]] = {start: [] for start in STARTS}
    encoders = dict(point=None, checkpoint=_encoders(cfg, candidates, drawable, kind, checkpoint, seed=0))
    tests = {start: _collect(model, measured, range(len(measured)), kind) for start, model in encoders.items()}
    for seed in range(seeds):
        chosen = np.random.default_rng(seed).choice(drawable, labels, replace=False)
        encoders['random'] = _encoders(cfg, candidates, drawable, kind, None, seed)
        tests['random'] = _collect(encoders['random'], measured, range(len(measured)), kind)
        for start in STARTS:
            classify = _fit(*_collect(encoders[start], candidates, chosen, kind), len(names), layers, hidden, seed)
            features, truth = tests[start]
            found[start].append(confusion(truth.numpy(), classify(features).numpy(), len(names)))
        told = ', '.join(f'{start} {_miou(matrices[-1]):.1f}' for start, matrices in found.items())
        print_log(f'probe, seed {seed}, labelled frames {sorted(chosen.tolist())}: mIoU {told}', 'current')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # of a class that no draw has
        ious = {start: np.nanmean([_iou(matrix) for matrix in matrices], axis=0) for start, matrices in found.items()}
    return dict(
        miou={start: [_miou(matrix) for matrix in matrices] for start, matrices in found.items()},
        iou={start: dict(zip(names, values.tolist())) for start, values in ious.items()},
        points=dict(zip(names, found['point'][0].sum(1).tolist())),
        frames=dict(drawable=len(drawable), labelled=labels, measured=len(measured)),
        features=kind,
        layers=layers,
        checkpoint=checkpoint,
    )


def _iou(matrix: np.ndarray) -> np.ndarray:
    """Percent by class; NaN for a class that is neither true nor found."""
    hits = np.diag(matrix)
    with np.errstate(invalid='ignore'):
        return 100 * hits / (matrix.sum(1) + matrix[:, :-1].sum(0) - hits)


def _miou(matrix: np.ndarray) -> float:
    """Mean over the classes that the measured frames have."""
    return float(np.mean(_iou(matrix)[matrix.sum(1) > 0]))


# ---------------------------------------------------------------- frames


def labelled_sets(cfg: Config, kind: str) -> Tuple[Any, Any]:
    """The training and the evaluation set of a configuration, both without augmentation and with classes of points."""
    classes = (cfg.get('segmentation') or {}).get('val_dataloader', {}).get('dataset', {}).get('semantic_classes')
    if not classes:
        raise ConfigError(
            'the configuration has no classes of points: expected '
            'segmentation.val_dataloader.dataset.semantic_classes, as in configs/_base_/datasets/pandaset.py'
        )
    keys = ['points', 'keyframe_points', 'keyframe_origins', 'pts_semantic_mask']
    left_out, modality = _LEFT_OUT, dict(use_lidar=True, use_camera=True)
    if kind == 'fused' and cfg.model.get('img_backbone'):
        keys.append('img')
    else:
        left_out = (*_LEFT_OUT, *_OF_IMAGES)
        modality['use_camera'] = False
    pipeline = [step for step in cfg.val_dataloader.dataset.pipeline if step['type'] not in left_out]
    pipeline = [dict(step, keys=keys) if step['type'] == 'CLAPPackInputs' else step for step in pipeline]
    sets = []
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        options = dict(copy.deepcopy(dict(loader.dataset)), pipeline=copy.deepcopy(pipeline), modality=modality)
        options.update(semantic_classes=classes, with_annotations=False, class_balanced=False, keep_length=False)
        sets.append(DATASETS.build(dict(options, filter_empty_gt=False, test_mode=True)))
    return sets[0], sets[1]


def _drawable(candidates: Any, measured: Any) -> List[int]:
    """Frames of the training set that are not measured."""
    names = [
        [dataset.get_data_info(i).get('token', i) for i in range(len(dataset))] for dataset in (candidates, measured)
    ]
    return [index for index, name in enumerate(names[0]) if name not in set(names[1])]


# ---------------------------------------------------------------- features


def _encoders(
    cfg: Config, dataset: Any, frames: Sequence[int], kind: str, checkpoint: Optional[str], seed: int
) -> nn.Module:
    """The model with the checkpoint's encoders, or random ones, ready to be asked."""
    config = copy.deepcopy(cfg.model)
    if config.get('img_backbone'):
        config.img_backbone.init_cfg = None
    torch.manual_seed(seed)
    model = MODELS.build(config)
    asked = [name for name in FEATURES[kind] if getattr(model, name, None) is not None]
    if checkpoint is not None:
        state = loadable_state(load_checkpoint_file(checkpoint, 'cpu'), checkpoint)
        with contextlib.suppress(RuntimeError):  # of other shapes; the comparison names them
            model.load_state_dict(state, strict=False)
        reports = compare(model, state)
        wrong = problems(reports, asked, 1.0)
        if wrong:
            raise CheckpointError(
                f'{checkpoint} does not have the encoders of this configuration:\n  - '
                + '\n  - '.join(wrong)
                + '\n'
                + table(reports, asked)
            )
    model.to(best_device()).eval().requires_grad_(False)
    few = frames[:: max(1, len(frames) // 16)]
    estimate_norm_statistics(
        model,
        (pseudo_collate([dataset[int(index)]]) for index in few),
        [getattr(model, name) for name in asked],
        lambda inputs, metas: point_features(model, inputs, metas, kind),
    )
    return model


@torch.no_grad()
def _collect(model: Optional[nn.Module], dataset: Any, frames: Sequence[int], kind: str) -> Tuple[Tensor, Tensor]:
    """Features (N, D) and classes (N,) of all points of some frames that have a class; height and intensity first."""
    features, classes = [], []
    for index in frames:
        data = pseudo_collate([dataset[int(index)]])
        labels = data['data_samples'][0].gt_pts_seg.pts_semantic_mask.long()
        own = data['inputs']['points'][0][: len(labels)]  # the keyframe comes first
        assert torch.equal(own[:, :3], data['inputs']['keyframe_points'][0])
        parts = [own[:, 2:4]]
        if model is not None:
            data = model.data_preprocessor(data, training=False)
            metas = [sample.metainfo for sample in data['data_samples']]
            parts.append(point_features(model, data['inputs'], metas, kind).float().cpu())
        features.append(torch.cat(parts, 1)[labels != NO_CLASS])
        classes.append(labels[labels != NO_CLASS])
    return torch.cat(features), torch.cat(classes)


# ---------------------------------------------------------------- classifier


def _fit(
    features: Tensor, classes: Tensor, num_classes: int, layers: int, hidden: int, seed: int
) -> Callable[[Tensor], Tensor]:
    """A classifier of points: features (N, D) -> classes (N,)."""
    mean, std = features.mean(0), features.std(0).clamp(min=1e-6)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    width = features.shape[1]
    net: nn.Module = nn.Linear(width, num_classes)
    if layers == 2:
        net = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
    optimizer = torch.optim.AdamW(net.parameters(), lr=_LEARNING_RATE[layers], weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    standard = (features - mean) / std
    for _ in range(_STEPS):
        drawn = torch.randint(len(standard), (_BATCH,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(net(standard[drawn]), classes[drawn]).backward()
        optimizer.step()
        schedule.step()

    @torch.no_grad()
    def classify(points: Tensor) -> Tensor:
        return torch.cat([net((part - mean) / std).argmax(1) for part in points.split(65536)])

    return classify


def probe_table(figures: Dict[str, Any]) -> str:
    """For people: classes and their mean by start, percent; means over seeds, ± their standard deviation."""
    rows = [
        [name, count, *(f'{figures["iou"][start][name]:.1f}' for start in STARTS)]
        for name, count in figures['points'].items()
    ]
    means = [f'{np.mean(own):.1f} ± {np.std(own, ddof=len(own) > 1):.1f}' for own in figures['miou'].values()]
    return text_table(['class', 'points', *STARTS], [*rows, ['mIoU', sum(figures['points'].values()), *means]])
