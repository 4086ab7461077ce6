"""Pictures of what pre-training does, a report of a run, and a 3-D viewer."""

from . import lidar_on_images
from .colours import prototype_colours
from .figures import FIGURES, draw_frame, frame_figures, to_pixels
from .pretrain_visualization_hook import PretrainVisualizationHook
from .render_frame import CameraPicture, FramePicture, render_frame
from .undisturbed import undisturbed

__all__ = [
    'CameraPicture',
    'FIGURES',
    'FramePicture',
    'PretrainVisualizationHook',
    'draw_frame',
    'frame_figures',
    'lidar_on_images',
    'prototype_colours',
    'render_frame',
    'to_pixels',
    'undisturbed',
]
