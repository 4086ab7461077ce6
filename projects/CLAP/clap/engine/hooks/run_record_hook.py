"""Writes down what a run was, for the report and for whoever finds the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...pretrain.samplers import CurvatureRaySampler
from ..run_record import describe, now, read_card, write_card
from ..unwrapped import unwrapped
from .sampling_warmup_hook import SamplingWarmupHook


def model_facts(model: torch.nn.Module) -> Dict[str, float]:
    """Numbers of the model that its health figures are judged by."""
    model = unwrapped(model)
    facts: Dict[str, float] = dict(parameters=sum(p.numel() for p in model.parameters()))
    if getattr(model, 'prototype_head', None) is not None:
        facts['num_prototypes'] = len(model.prototype_head.prototypes)
    if getattr(model, 'render_head', None) is not None:
        facts['initial_inv_s'] = float(model.render_head.inv_s.detach())
    return facts


def curvature_from(runner: Runner) -> Dict[str, int]:
    """``curvature_from_iter``: the first iteration (from 1) whose rays are drawn by curvature; {} if there is none."""
    model = unwrapped(runner.model)
    warmups = [hook.warmup_epochs for hook in runner.hooks if isinstance(hook, SamplingWarmupHook)]
    if not warmups or not isinstance(getattr(model, 'ray_sampler', None), CurvatureRaySampler):
        return {}
    return dict(curvature_from_iter=warmups[0] * len(runner.train_dataloader) + 1)


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Keeps ``run_card.json`` in the work directory: one session per start of training, so a resumed run has several.

    A session holds commit, configuration, command, seed, fingerprints of the info files, hardware, package versions,
    first and last iteration, and the times of start and end. One without an end was interrupted (or still runs).
    """

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Open a session."""
        datasets = dict(train=runner.train_dataloader.dataset)
        if runner.val_loop is not None:
            datasets['val'] = runner.val_dataloader.dataset
        self._session = describe(runner.cfg.filename, runner.seed, datasets, get_world_size())
        self._session.update(
            facts={**model_facts(runner.model), **curvature_from(runner)},
            started=now(),
            ended=None,
            first_iter=runner.iter,
            last_iter=runner.iter,
            max_iters=runner.max_iters,
        )
        self._sessions = [*read_card(Path(runner.work_dir)), self._session]
        write_card(Path(runner.work_dir), self._sessions)

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Note how far the session has come."""
        self._session.update(last_iter=runner.iter, last_seen=now())
        write_card(Path(runner.work_dir), self._sessions)

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Close the session."""
        self._session.update(last_iter=runner.iter, ended=now())
        write_card(Path(runner.work_dir), self._sessions)
