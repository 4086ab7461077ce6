"""What carries a run: runner, loop, lock, record, configuration, checkpoints, hooks."""

from . import hooks, loop, optim_wrapper

__all__ = ['hooks', 'loop', 'optim_wrapper']
