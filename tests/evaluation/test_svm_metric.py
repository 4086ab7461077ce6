"""The linear SVM: what separates, what does not, what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from projects.CLAP.clap.errors import DatasetError
from projects.CLAP.clap.evaluation import LinearSVMMetric


def samples(count: int = 30, classes: int = 3) -> list:
    rng = np.random.default_rng(0)
    found = []
    for index in range(count):
        kind = index % classes
        own = 1e-3 * (np.eye(classes)[kind] + 0.05 * rng.standard_normal(classes))  # small, but it tells
        found.append(
            dict(
                class_name=f'kind {kind}',
                split='train' if index < 2 * count // 3 else 'test',
                features=torch.from_numpy(own),
                untrained_features=torch.from_numpy(rng.standard_normal(classes)),
            )
        )
    return found


def test_features_that_separate_and_features_that_do_not() -> None:
    metric = LinearSVMMetric(penalty=1.0)
    metric.process({}, samples())
    figures = metric.evaluate(30)
    assert figures['svm/accuracy'] == 1 and figures['svm/accuracy_of_untrained'] < 0.8
    assert figures['svm/chance'] == pytest.approx(0.3)  # three of ten


def test_nothing_to_fit_or_to_measure_is_an_error() -> None:
    for chosen in (samples()[:20], samples()[20:], samples(classes=1)):
        metric = LinearSVMMetric()
        metric.process({}, chosen)
        with pytest.raises(DatasetError, match='splits'):
            metric.evaluate(len(chosen))
