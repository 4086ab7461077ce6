"""Registered metrics."""

from .box_metrics import CLAPONCEMetric, CLAPWaymoMetric
from .figure_metric import CLAPFigureMetric
from .info_metric import CLAPInfoMetric
from .nuscenes_metric import CLAPNuScenesMetric
from .render_metric import RenderMetric
from .seg_metric import CLAPSegMetric
from .svm_metric import LinearSVMMetric

__all__ = [
    'CLAPFigureMetric',
    'CLAPInfoMetric',
    'CLAPNuScenesMetric',
    'CLAPONCEMetric',
    'CLAPSegMetric',
    'CLAPWaymoMetric',
    'LinearSVMMetric',
    'RenderMetric',
]
