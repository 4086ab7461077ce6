"""Pictures of what pre-training does."""
from .figures import cameras_figure, cloud_figure, draw_frame
from .render_frame import CameraPicture, FramePicture, render_frame

__all__ = ['CameraPicture', 'FramePicture', 'cameras_figure', 'cloud_figure', 'draw_frame', 'render_frame']
