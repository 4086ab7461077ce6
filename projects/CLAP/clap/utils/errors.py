"""Errors with a message for the user: what was expected, what came, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Optional


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the weights have not been touched.

    Args:
        losses: names and values of the losses that are not finite.
        saved: file with the inputs of the step, if they have been saved.
    """

    def __init__(self, losses: Dict[str, float], saved: Optional[Path] = None) -> None:
        self.losses, self.saved = losses, saved
        parts = ', '.join(f'{name} = {value}' for name, value in losses.items()) or 'their sum'
        super().__init__(
            f'non-finite loss: {parts}. The weights have not been updated by this step. '
            'Lower the learning rate or clip gradients if it follows a growing loss; look at the frame if it is sudden'
            + (f'. The inputs of the step are in {saved}' if saved else '')
        )


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read, is not one, or cannot be written."""


class WorkDirBusyError(RuntimeError):
    """Another run writes to the same work directory."""
