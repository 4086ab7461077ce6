"""What carries a run: runner, loop, lock, record, configuration, checkpoints, hooks."""

from . import cyclic_momentum, hooks, loop, optim_wrapper

__all__ = ['cyclic_momentum', 'hooks', 'loop', 'optim_wrapper']
