"""Registered metrics."""

from .box_metrics import CLAPONCEMetric, CLAPWaymoMetric
from .info_metric import CLAPInfoMetric
from .nuscenes_metric import CLAPNuScenesMetric
from .render_metric import RenderMetric

__all__ = ['CLAPInfoMetric', 'CLAPNuScenesMetric', 'CLAPONCEMetric', 'CLAPWaymoMetric', 'RenderMetric']
