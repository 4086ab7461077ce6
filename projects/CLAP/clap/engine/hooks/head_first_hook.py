"""The head learns first, so that its first gradients do not undo what pre-training gave the encoders."""

from __future__ import annotations

from typing import Any, List

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn import Parameter

from ...errors import ConfigError
from ..unwrapped import unwrapped


@HOOKS.register_module()
class HeadFirstHook(Hook):
    """Leaves the encoders' parameters as they are in the first iterations of a run.

    Gradients are made as always, so that ranks stay in step, and dropped before the optimiser sees them: neither
    momentum nor weight decay touches the encoders. Their batch norms follow the data.

    Args:
        iters: how many iterations.
    """

    def __init__(self, iters: int) -> None:
        if iters < 1:
            raise ConfigError(f'iters must be positive, got {iters}')
        self.iters = iters

    def before_train(self, runner: Runner) -> None:
        """Watch the optimiser; a resumed run counts from its first iteration."""
        parameters: List[Parameter] = [p for part in unwrapped(runner.model).encoders for p in part.parameters()]

        def drop(*_: Any) -> None:
            if runner.iter < self.iters:
                for parameter in parameters:
                    parameter.grad = None

        runner.optim_wrapper.optimizer.register_step_pre_hook(drop)
        if runner.iter < self.iters:
            runner.logger.info(f'the encoders stay as they are until iteration {self.iters}')
