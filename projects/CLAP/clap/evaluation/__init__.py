"""Registered metrics."""
from .render_metric import RenderMetric

__all__ = ['RenderMetric']
