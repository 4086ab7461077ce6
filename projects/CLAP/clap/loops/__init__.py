"""Registered training loops."""

from .resumable_loop import ResumableEpochLoop

__all__ = ['ResumableEpochLoop']
