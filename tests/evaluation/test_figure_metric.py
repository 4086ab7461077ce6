"""Figures of a method: pooled over items, not over frames."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.evaluator import Evaluator
from torch import nn

from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.evaluation import CLAPFigureMetric, RenderMetric
from tests.fixtures.tiny import tiny_lidar_method, tiny_model


def test_means_run_over_items() -> None:
    metric = CLAPFigureMetric()
    metric.process({}, [dict(figures=dict(hit=(torch.tensor(3), 4), empty=(0, 0))), dict(figures=dict(hit=(0, 2)))])
    evaluator = Evaluator(metric)
    assert evaluator.evaluate(2) == {'heldout/hit': 0.5}


def test_a_model_without_figures_is_refused() -> None:
    with pytest.raises(ConfigError, match='Linear has none'):
        CLAPFigureMetric().check(None, nn.Linear(1, 1))


def test_each_method_has_the_metric_of_its_figures() -> None:
    renders, tells = MODELS.build(tiny_model()), tiny_lidar_method('ALSO')
    RenderMetric().check(None, renders)
    CLAPFigureMetric().check(None, tells)
    with pytest.raises(ConfigError, match='ALSO does not'):
        RenderMetric().check(None, tells)
    with pytest.raises(ConfigError, match='CLAP has none'):
        CLAPFigureMetric().check(None, renders)
