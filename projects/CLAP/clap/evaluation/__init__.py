"""Registered metrics."""

from .info_metric import CLAPInfoMetric
from .nuscenes_metric import CLAPNuScenesMetric
from .render_metric import RenderMetric

__all__ = ['CLAPInfoMetric', 'CLAPNuScenesMetric', 'RenderMetric']
