"""Superpixels of images: made once, kept in a file per image, and never taken for those of another image."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Dict

import numpy as np
from PIL import Image, PngImagePlugin

from ..errors import ConfigError, DataError
from ..files.atomic_file import write_atomic
from .file_checks import mirrored_file

#: Pixels that belong to no superpixel: those of an augmented image that the original does not reach.
NO_SEGMENT = 255
MOST_SEGMENTS = 200  # SLIC may give a few more than it is asked for, and a number has one byte
#: SLIDR's settings of SLIC, for images of the original size.
COMPACTNESS, SIGMA_PX = 6.0, 3.0
LONGEST_SIDE_PX = 1000  # larger images are halved first: a sixth of the time, and training sees them smaller still


def check_count(num_segments: int) -> None:
    if not 2 <= num_segments <= MOST_SEGMENTS:
        raise ConfigError(f'num_segments: expected 2 to {MOST_SEGMENTS} superpixels per image, got {num_segments}')


def segment_image(rgb: np.ndarray, num_segments: int) -> np.ndarray:
    """SLIC: (H, W, 3) uint8 -> (h, w) uint8 numbers of about ``num_segments`` connected areas.

    h and w are those of the image, halved until the longer one is at most ``LONGEST_SIDE_PX``.
    """
    from skimage.segmentation import slic

    image, factor = Image.fromarray(rgb), 1
    while max(image.size) // factor > LONGEST_SIDE_PX:
        factor *= 2
    small = np.asarray(image.reduce(factor))
    found = slic(small, num_segments, COMPACTNESS, sigma=SIGMA_PX / factor, start_label=0)
    assert found.max() < NO_SEGMENT, f'{found.max() + 1} superpixels of {num_segments} do not fit into a byte'
    return found.astype(np.uint8)


def write_superpixels(folder: Path, image: str, num_segments: int) -> None:
    """Make and keep the superpixels of one image, with its checksum."""
    content = Path(image).read_bytes()
    found = segment_image(np.asarray(Image.open(io.BytesIO(content)).convert('RGB')), num_segments)
    notes, encoded = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, value in _stamp(content, num_segments).items():
        notes.add_text(key, value)
    Image.fromarray(found).save(encoded, 'PNG', pnginfo=notes)
    write_atomic(mirrored_file(folder, image), encoded.getvalue())


def read_superpixels(folder: Path, image: str, num_segments: int) -> np.ndarray:
    """(h, w) uint8 of an image; ``DataError`` where they are missing, damaged or of another image or number."""
    path, remake = mirrored_file(folder, image), 'make them again: tools/create_data.py superpixels'
    try:
        with Image.open(path) as file:
            found, stamp = np.asarray(file), {key: file.info.get(key) for key in _stamp(b'', 0)}
    except FileNotFoundError:
        raise DataError(f'{path}: no superpixels of {image}; {remake}') from None
    except (OSError, SyntaxError) as error:
        raise DataError(f'{path}: cannot be decoded ({error}); delete the file and {remake}') from error
    expected = _stamp(Path(image).read_bytes(), num_segments)
    if stamp['image'] != expected['image']:
        raise DataError(f'{path}: these are superpixels of another image than {image} is now (checksum); {remake}')
    if stamp != expected:
        raise DataError(
            f'{path}: made with num_segments={stamp["num_segments"]}, expected {num_segments}; correct num_segments of '
            f'the pipeline, name another folder, or {remake}'
        )
    return found


def _stamp(content: bytes, num_segments: int) -> Dict[str, str]:
    return dict(image=hashlib.sha1(content).hexdigest(), num_segments=str(num_segments))
