"""Keeps the inputs of a step whose loss is not finite."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner, weights_to_cpu

from ...errors import NonFiniteLossError
from ..checkpoint.plain_state import to_plain
from ..optim_wrapper import CheckedOptimWrapper
from ..unwrapped import unwrapped
from .step_seed_hook import step_seed


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Saves a step's inputs when the model raises :class:`NonFiniteLossError`.

    Gradients are looked at too, before they are clipped and before they reach
    the weights: a finite loss can have an infinite one. (With loss scaling that
    is normal now and then, and the scaler leaves the step out.)

    The file ``nonfinite/iter_N_rank_R.pt`` in the work directory holds the batch
    as the data loader gave it, the losses, the seed of the step and the model's
    weights before it: enough to run the step again. It holds tensors and plain
    containers only and loads with ``weights_only=True``. The run stops with the
    error; ``--resume`` goes on from the last checkpoint.
    """

    def before_run(self, runner: Runner) -> None:
        """Be asked before a bad loss reaches the backward pass, and before a bad gradient reaches the weights."""
        self._batch = None
        model = unwrapped(runner.model)
        model.keep_inputs = lambda losses: self._save(runner, model, losses)
        if isinstance(runner.optim_wrapper, CheckedOptimWrapper):
            runner.optim_wrapper.before_step = lambda: self._check_gradients(runner, model)

    def before_train(self, runner: Runner) -> None:
        """Say it if gradients are not looked at."""
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, CheckedOptimWrapper) and not hasattr(wrapper, 'loss_scaler'):
            runner.logger.warning(
                f'{type(wrapper).__name__}: a gradient that is not finite would reach the weights unseen; '
                "optim_wrapper.type='CheckedOptimWrapper' looks at them"
            )

    def _check_gradients(self, runner: Runner, model: torch.nn.Module) -> None:
        bad = nonfinite_gradients(model)
        if bad:
            raise NonFiniteLossError(bad, self._save(runner, model, bad))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Remember the batch for the length of the step."""
        self._batch = data_batch

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Let the batch go."""
        self._batch = None

    def _save(self, runner: Runner, model: torch.nn.Module, losses: Dict[str, float]) -> Path:
        path = Path(runner.work_dir) / 'nonfinite' / f'iter_{runner.iter}_rank_{get_rank()}.pt'
        path.parent.mkdir(parents=True, exist_ok=True)
        batch = self._batch if isinstance(self._batch, dict) else {}
        samples = [sample.metainfo for sample in batch.get('data_samples', [])]
        torch.save(
            dict(
                batch=to_plain(dict(inputs=batch.get('inputs'), data_samples=samples)),
                losses=to_plain(losses),
                iteration=runner.iter,
                epoch=runner.epoch,
                step_seed=step_seed(runner.seed, runner.iter, 'all'),
                rank=get_rank(),
                world_size=get_world_size(),
                state_dict=weights_to_cpu(model.state_dict()),
            ),
            path,
        )
        return path


@torch.no_grad()
def nonfinite_gradients(model: torch.nn.Module) -> Dict[str, float]:
    """Name of a parameter -> norm of its gradient, for those that hold NaN or Inf."""
    named = [(f'gradient of {name}', p.grad) for name, p in model.named_parameters() if p.grad is not None]
    if not named:
        return {}
    norms = torch.stack(torch._foreach_norm([grad for _, grad in named]))
    if bool(torch.isfinite(norms).all()):
        return {}
    # A norm can overflow where no entry does.
    return {name: float(norm) for (name, grad), norm in zip(named, norms) if not bool(torch.isfinite(grad).all())}
