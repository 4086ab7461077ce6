"""Registered ray samplers."""

from .base import BaseRaySampler, SampledRays
from .curvature import CurvatureRaySampler
from .depth import DepthRaySampler
from .surface_variation import SurfaceVariationRaySampler
from .uniform import UniformRaySampler

__all__ = [
    'BaseRaySampler',
    'CurvatureRaySampler',
    'DepthRaySampler',
    'SampledRays',
    'SurfaceVariationRaySampler',
    'UniformRaySampler',
]
