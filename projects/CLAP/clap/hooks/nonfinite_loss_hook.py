"""Keeps the inputs of a step whose loss is not finite."""
from __future__ import annotations

from pathlib import Path

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ..utils.errors import NonFiniteLossError
from .step_seed_hook import step_seed


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Saves a step's inputs when the model raises :class:`NonFiniteLossError`.

    The file ``nonfinite/iter_N_rank_R.pt`` in the work directory holds the batch
    as the data loader gave it, the losses, the seed of the step and the model's
    weights before it: enough to run the step again. The run stops with the
    error; ``--resume`` goes on from the last checkpoint.
    """

    def before_run(self, runner: Runner) -> None:
        """Wrap the model's loss parser, which is the last stop before the backward pass."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        parse = model.parse_losses

        def parse_losses(losses):
            try:
                return parse(losses)
            except NonFiniteLossError as error:
                path = self._save(runner, model, error)
                raise NonFiniteLossError(error.losses, path) from None

        model.parse_losses = parse_losses

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Remember the batch for the length of the step."""
        self._batch = data_batch

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Let the batch go."""
        self._batch = None

    def _save(self, runner: Runner, model: torch.nn.Module, error: NonFiniteLossError) -> Path:
        path = Path(runner.work_dir) / 'nonfinite' / f'iter_{runner.iter}_rank_{get_rank()}.pt'
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(batch=self._batch, losses=error.losses, iteration=runner.iter, epoch=runner.epoch,
                        step_seed=step_seed(runner.seed, runner.iter, get_rank()), state_dict=model.state_dict()), path)
        return path
