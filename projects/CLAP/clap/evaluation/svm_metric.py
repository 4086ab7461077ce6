"""What frozen features of whole objects are worth to a linear classifier."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

import numpy as np
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..errors import DatasetError


@METRICS.register_module()
class LinearSVMMetric(BaseMetric):
    """Accuracy of a linear support vector machine on frozen features, beside that on features that were never trained.

    It is fitted to the objects of the ``train`` split, on features that are standardised there, and measured on those
    of the ``test`` split. ``accuracy`` and ``accuracy_of_untrained`` (the same network as it was before training),
    ``chance`` (the most frequent class of the training split).

    Args:
        penalty: C of the machine.
        collect_device: where results are gathered, ``'cpu'`` or ``'gpu'``.
        prefix: prefix of the names in the log.
    """

    default_prefix = 'svm'

    def __init__(self, penalty: float = 0.01, collect_device: str = 'cpu', prefix: Optional[str] = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.penalty = penalty

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep features, class and split of every object."""
        for sample in data_samples:
            features = [sample[name].float().cpu().numpy() for name in ('features', 'untrained_features')]
            self.results.append((sample['class_name'], sample['split'], *features))

    def compute_metrics(self, results: List[tuple]) -> Dict[str, float]:
        """Fit and measure both; ``DatasetError`` unless both splits have objects and there are two classes to tell."""
        names, splits, own, untrained = (np.array(column) for column in zip(*results))
        train = splits == 'train'
        if not train.any() or train.all() or len(set(names[train])) < 2:
            raise DatasetError(
                'a linear SVM needs train and test objects of two classes or more; got '
                f"{int(train.sum())} and {int((~train).sum())} of {len(set(names))}: set splits=['train', 'test'] of "
                'val_dataloader.dataset'
            )
        most = max(sorted(set(names[train])), key=lambda name: int((names[train] == name).sum()))
        return dict(
            accuracy=self._accuracy(own, names, train),
            accuracy_of_untrained=self._accuracy(untrained, names, train),
            chance=float((names[~train] == most).mean()),
        )

    def _accuracy(self, features: np.ndarray, names: np.ndarray, train: np.ndarray) -> float:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        machine = make_pipeline(StandardScaler(), SVC(kernel='linear', C=self.penalty))
        machine.fit(features[train], names[train])
        return float(machine.score(features[~train], names[~train]))
