"""Pre-training on single objects: small encoders of point clouds, and CluRender on them."""

from .backbones import CLAPDGCNN, CLAPPointNet
from .object_clurender import ObjectCluRender

__all__ = ['CLAPDGCNN', 'CLAPPointNet', 'ObjectCluRender']
