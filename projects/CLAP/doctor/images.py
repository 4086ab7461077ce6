"""Are the images pictures, and the right way up? Asked before a calibration is blamed."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from .edges import Agreement, best_of, together
from .findings import BAD, WATCH, Finding

Array = NDArray[Any]

#: Pictures that are not as the calibration has them: what they are, the code that mends it, the same as a function.
TURNED: Dict[str, Tuple[str, Callable[[Array], Array]]] = {
    'turned by 180 degrees': ('image[::-1, ::-1]', lambda image: image[::-1, ::-1]),
    'mirrored (left and right exchanged)': ('image[:, ::-1]', lambda image: image[:, ::-1]),
    'mirrored (top and bottom exchanged)': ('image[::-1]', lambda image: image[::-1]),
    'turned by 90 degrees to the left': ('numpy.rot90(image, -1)', lambda image: np.rot90(image, -1)),
    'turned by 90 degrees to the right': ('numpy.rot90(image)', lambda image: np.rot90(image)),
}
_ORIENTATION = 274  # the EXIF tag


def check_images(images: Dict[str, Any], where: str) -> List[Finding]:
    """Images of one frame (as in the info file, ``img_path`` absolute) that show nothing or say they are turned."""
    from PIL import Image

    from projects.CLAP.clap.datasets.plausible import image_problem, mode_problem

    found = []
    for name, view in images.items():
        with Image.open(view['img_path']) as image:
            turned = image.getexif().get(_ORIENTATION, 1)
            problem = mode_problem(image.mode) or image_problem(np.asarray(image.convert('RGB')))
        if problem:
            found.append(Finding(BAD, 'images', f'{where}: {name}: {view["img_path"]} {problem}', 'see there'))
        elif turned not in (0, 1):
            found.append(
                Finding(
                    WATCH,
                    'images',
                    f'{where}: {name}: {view["img_path"]} has the EXIF orientation {turned}; training reads pixels as '
                    'they are stored, most programs turn them',
                    'if the calibration is of the turned picture, store that: PIL.ImageOps.exif_transpose',
                )
            )
    return found


def turned(
    fits: Dict[str, Dict[str, Agreement]], intrinsics: Dict[str, Tuple[Array, int, int]], names: List[str], given: str
) -> Optional[Tuple[List[str], str, str, bool]]:
    """Images that fit their calibration when they are turned or mirrored.

    Args:
        fits: by camera, agreement of edges as given (``given``) and under each of ``TURNED``.
        intrinsics: by camera, (cam2img, width, height).
        names: cameras to ask about; their matrices must be upright, since turning a camera looks the same.
        given: key of ``fits``.

    Returns:
        Cameras, what is wrong, what to do, whether it is beyond doubt; None if nothing can be told.
    """
    across = [name for name in names if _across(*intrinsics[name])]
    names = across or names
    alone = [] if across or len(names) < 2 else [[name] for name in names]
    for group in [names, *alone] if names else []:
        whole = {label: together(fits[name][label] for name in group) for label in (given, *TURNED)}
        label, sure = best_of(whole, given, list(TURNED))
        sure = sure or bool(across) or (bool(label) and whole[label].certainty > 4.0 and whole[given].certainty < 1.0)
        if label and (sure or len(group) > 1):
            text = f'the image is {label}: its edges then lie on edges of the points ({whole[label].gain:+.2f})'
            return list(group), text, f'store {TURNED[label][0]}; the matrices may be right', sure
    if across:
        text = 'width and height of the image are exchanged against cam2img: turned by 90 degrees'
        return across, text, 'store the image as the calibration has it (numpy.rot90)', True
    return None


def _across(cam2img: Array, width: int, height: int) -> bool:
    """Whether the principal point lies in the middle of a picture that has width and height exchanged."""
    x, y = float(cam2img[0, 2]), float(cam2img[1, 2])
    middle = abs(x / height - 0.5) < 0.1 and abs(y / width - 0.5) < 0.1
    return middle and (abs(x / width - 0.5) > 0.15 or abs(y / height - 0.5) > 0.15)
