"""Pictures as data URIs, small enough that a report can be sent by mail."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Dict, List

from PIL import Image


def evenly(steps: List[int], most: int) -> List[int]:
    """At most ``most`` of the sorted steps, first and last among them."""
    if len(steps) <= most:
        return steps
    if most == 1:
        return steps[-1:]
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def data_uri(path: Path, width: int, quality: int = 82) -> str:
    """A picture as JPEG in a data URI, at most ``width`` pixels wide."""
    with Image.open(path) as image:
        image = image.convert('RGB')
        if image.width > width:
            image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, 'JPEG', quality=quality, optimize=True)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode()


def by_frame(images: Dict[str, Dict[int, Path]]) -> Dict[str, Dict[str, Dict[int, Path]]]:
    """``frame0_cameras`` -> ``frame0`` -> ``cameras``; names without a frame go under the empty name."""
    frames: Dict[str, Dict[str, Dict[int, Path]]] = {}
    for name, steps in images.items():
        frame, _, figure = name.partition('_') if name.startswith('frame') else ('', '', name)
        frames.setdefault(frame, {})[figure or name] = steps
    return frames
