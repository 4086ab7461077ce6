"""Drawing what a method shows: figures, pictures of a run in training, and a 3-D viewer."""

from .figures import draw, save, to_pixels
from .frames import known_pictures, pictures_of
from .pretrain_visualization_hook import PretrainVisualizationHook
from .undisturbed import undisturbed

__all__ = ['PretrainVisualizationHook', 'draw', 'known_pictures', 'pictures_of', 'save', 'to_pixels', 'undisturbed']
