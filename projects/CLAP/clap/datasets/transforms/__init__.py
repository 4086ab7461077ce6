"""Pipeline steps. All registered names start with ``CLAP``."""

from .image_aug import CLAPImageAug3D
from .label_images import CLAPLoadLabelImages
from .lidar_aug import CLAPGlobalRotScaleTrans, CLAPRandomFlip3D
from .loading import CLAPLoadKeyframe, CLAPLoadMultiViewImages
from .packing import CLAPPackInputs
from .superpixels import CLAPLoadSuperpixels
from .sweeps import CLAPLoadSweeps, to_keyframe

__all__ = [
    'CLAPGlobalRotScaleTrans',
    'CLAPImageAug3D',
    'CLAPLoadKeyframe',
    'CLAPLoadLabelImages',
    'CLAPLoadMultiViewImages',
    'CLAPLoadSuperpixels',
    'CLAPLoadSweeps',
    'CLAPPackInputs',
    'CLAPRandomFlip3D',
    'to_keyframe',
]
