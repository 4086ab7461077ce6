"""What carries a run: runner, loop, lock, record, configuration, checkpoints, hooks."""

from . import hooks, loop

__all__ = ['hooks', 'loop']
