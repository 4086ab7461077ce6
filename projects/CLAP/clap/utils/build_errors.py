"""Which errors are the configuration's: those that classes raise while they are built from it."""

from __future__ import annotations

import ast
import linecache
import traceback
from types import CodeType, FrameType
from typing import List, Optional, Tuple

_BUILDERS = ('build_from_cfg', 'build_runner_from_cfg', 'build_dataloader')


def configuration_error(error: BaseException) -> Optional[str]:
    """The message for a user whose configuration a class refused, or None if ``error`` is something else.

    A ``ValueError`` that is raised on purpose while something is built from the configuration, or before training; a
    ``TypeError`` or ``KeyError`` of the builder itself (wrong keys, unknown type). What fails in the course of the
    program, or unexpectedly, keeps its traceback.
    """
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if not frames:
        return None
    last, line = frames[-1]
    built = [frame for frame, _ in frames if frame.f_code.co_name in _BUILDERS]
    if isinstance(error, ValueError):
        if not (built or last.f_code.co_name == 'before_train') or not _on_purpose(last.f_code, line):
            return None
    elif not (isinstance(error, (TypeError, KeyError)) and built and last is built[-1]):
        return None
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    return f'the configuration cannot be used{_what(built)}: {text}. Correct it in the file or in --cfg-options'


def _on_purpose(code: CodeType, line: int) -> bool:
    """Whether ``line`` belongs to a ``raise`` statement."""
    try:
        tree = ast.parse(''.join(linecache.getlines(code.co_filename)))
    except SyntaxError:  # no Python source to look at
        return False
    return any(
        isinstance(node, ast.Raise) and node.lineno <= line <= (node.end_lineno or node.lineno)
        for node in ast.walk(tree)
    )


def _what(built: List[FrameType]) -> str:
    names: Tuple[str, ...] = tuple(
        dict.fromkeys(
            str(getattr(kind, '__name__', kind)) for kind in (frame.f_locals.get('obj_type') for frame in built) if kind
        )
    )
    return f' ({" > ".join(names)})' if names else ''
