"""Which errors of other libraries are the configuration's: those that classes raise while they are built from it."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import FrameType
from typing import List, Optional, Tuple

_BUILDERS = ('build_from_cfg', 'build_runner_from_cfg', 'build_dataloader')
_OURS = Path(__file__).resolve().parents[2]


def configuration_error(error: BaseException) -> Optional[str]:
    """The message for a user whose configuration a class refused, or None if ``error`` is something else.

    A ``TypeError`` or ``KeyError`` of the builder itself (wrong keys, unknown type), a ``ValueError`` of another
    library's class while it is built. Ours say so themselves (:class:`CLAPError`); what fails unexpectedly keeps its
    traceback.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    built = [frame for frame in frames if frame.f_code.co_name in _BUILDERS]
    if not built:
        return None
    if isinstance(error, ValueError):
        if _OURS in Path(frames[-1].f_code.co_filename).parents:
            return None
    elif not (isinstance(error, (TypeError, KeyError)) and frames[-1] is built[-1]):
        return None
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    return (
        f'the configuration cannot be used{what_was_built(error)}: {text}. Correct it in the file or in --cfg-options'
    )


def what_was_built(error: BaseException) -> str:
    """`` (DataLoader > CLAPDataset)``: the classes that were being built, outermost first; empty if none was."""
    built: List[FrameType] = [
        frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name in _BUILDERS
    ]
    names: Tuple[str, ...] = tuple(
        dict.fromkeys(
            str(getattr(kind, '__name__', kind)) for kind in (frame.f_locals.get('obj_type') for frame in built) if kind
        )
    )
    return f' ({" > ".join(names)})' if names else ''
