"""Registered metrics."""

from .box_metrics import CLAPONCEMetric, CLAPWaymoMetric
from .info_metric import CLAPInfoMetric
from .nuscenes_metric import CLAPNuScenesMetric
from .render_metric import RenderMetric
from .seg_metric import CLAPSegMetric

__all__ = [
    'CLAPInfoMetric',
    'CLAPNuScenesMetric',
    'CLAPONCEMetric',
    'CLAPSegMetric',
    'CLAPWaymoMetric',
    'RenderMetric',
]
