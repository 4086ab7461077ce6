"""Registered ray samplers."""
from .base import BaseRaySampler, SampledRays
from .curvature import CurvatureRaySampler
from .depth import DepthRaySampler
from .uniform import UniformRaySampler

__all__ = ['BaseRaySampler', 'CurvatureRaySampler', 'DepthRaySampler', 'SampledRays', 'UniformRaySampler']
