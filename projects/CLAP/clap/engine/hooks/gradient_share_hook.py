"""Which loss shapes the encoders: shares of the gradient at the maps that the heads read."""

from __future__ import annotations

from typing import Any, Dict, List

import torch
from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...errors import ConfigError
from ...functional import gradient_norms
from ...pretrain.base import Pretrainer
from ...structures import EncoderOutput
from ..unwrapped import unwrapped

#: Names of the maps in figures -> fields of :class:`EncoderOutput`.
MAPS = dict(lidar='lidar_bev', camera='camera_bev', fused='fused_bev')


@HOOKS.register_module()
class GradientShareHook(Hook):
    """Logs ``grad_share_TERM_MAP``: a loss's share of the gradient at the LiDAR, camera or fused map.

    The share is the norm of the loss's gradient over the sum of all losses' norms, between 0 and 1: what a loss is
    worth to the encoders, whatever its value. A loss that does not reach a map has no figure for it. Works for every
    :class:`Pretrainer` that encodes by ``encode_masked`` or ``encode``. A measurement takes one backward pass through
    heads and BEV encoder for every loss, draws nothing and changes neither weights nor gradients; the log repeats the
    last one.

    Args:
        interval: steps from one measurement to the next, the first one at the first step.
    """

    priority = 'NORMAL'  # before LoggerHook, which reads what is set here

    def __init__(self, interval: int = 100) -> None:
        if interval < 1:
            raise ConfigError(f'interval must be at least 1, got {interval}')
        self.interval = interval
        self._shares: Dict[str, float] = {}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Ask for the losses of the step if it is to be measured."""
        model = unwrapped(runner.model)
        if isinstance(model, Pretrainer) and runner.iter % self.interval == 0:
            scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
            scale = float(scaler.get_scale()) if scaler is not None else 1.0
            model.on_losses = lambda losses, encoded: self._shares.update(gradient_shares(losses, encoded, scale))

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Log what was measured."""
        model = unwrapped(runner.model)
        if isinstance(model, Pretrainer):
            model.on_losses = None
        for name, value in self._shares.items():
            runner.message_hub.update_scalar(f'train/{name}', value)
        self._shares = {}


def gradient_shares(losses: Dict[str, Any], encoded: List[EncoderOutput], scale: float = 1.0) -> Dict[str, float]:
    """``grad_share_TERM_MAP`` -> share; empty where a gradient is not finite (a scaled one may overflow).

    Args:
        losses: what a method's ``loss`` gives; names with ``loss`` in them are the terms.
        encoded: maps of the step.
        scale: see :func:`gradient_norms`.
    """
    terms = {name: value for name, value in losses.items() if 'loss' in name}
    totals = [v.mean() if isinstance(v, torch.Tensor) else sum(one.mean() for one in v) for v in terms.values()]
    maps = [[m for one in encoded if (m := getattr(one, key)) is not None] for key in MAPS.values()]
    norms = gradient_norms(totals, maps, scale)
    if not bool(torch.isfinite(norms).all()):
        return {}
    shares = (norms / norms.sum(0).clamp(min=1e-300)).tolist()
    return {
        f'grad_share_{name.replace("loss_", "").replace("loss", "")}_{key}': share
        for name, row in zip(terms, shares)
        for key, share in zip(MAPS, row)
        if share > 0
    }
