"""Writes down what a run was, for the report and for whoever finds the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

from mmdet3d.registry import HOOKS
from mmengine.dist import get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...pretrain.method import Method
from ..run_record import describe, now, read_card, write_card
from ..unwrapped import unwrapped


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Keeps ``run_card.json`` in the work directory: one session per start of training, so a resumed run has several.

    A session holds commit, configuration, command, seed, fingerprints of the info files, hardware, package versions,
    what the method says of its figures, first and last iteration, and the times of start and end. One without an end
    was interrupted (or still runs).
    """

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Open a session."""
        datasets = dict(train=runner.train_dataloader.dataset)
        if runner.val_loop is not None:
            datasets['val'] = runner.val_dataloader.dataset
        self._session = describe(runner.cfg.filename, runner.seed, datasets, get_world_size())
        self._session.update(
            **self._about(runner),
            marks=self._marks(runner),
            started=now(),
            ended=None,
            first_iter=runner.iter,
            last_iter=runner.iter,
            max_iters=runner.max_iters,
        )
        self._sessions = [*read_card(Path(runner.work_dir)), self._session]
        write_card(Path(runner.work_dir), self._sessions)

    @staticmethod
    def _about(runner: Runner) -> Dict[str, Any]:
        """What the model says of itself."""
        model = unwrapped(runner.model)
        facts = model.facts() if isinstance(model, Method) else {}
        about: Dict[str, Any] = dict(facts=dict(facts, parameters=sum(p.numel() for p in model.parameters())))
        if isinstance(model, Method):
            about['method'] = dict(
                name=type(model).__name__, pictures=model.picture_titles, **model.declare(facts).to_json()
            )
        return about

    @staticmethod
    def _marks(runner: Runner) -> List[Tuple[int, str]]:
        """Iterations at which hooks change something, as far as they know; they may learn it in training."""
        return [mark for hook in runner.hooks if hasattr(hook, 'marks') for mark in hook.marks(runner)]

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Note how far the session has come."""
        self._session.update(last_iter=runner.iter, last_seen=now(), marks=self._marks(runner))
        write_card(Path(runner.work_dir), self._sessions)

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Close the session."""
        self._session.update(last_iter=runner.iter, ended=now())
        write_card(Path(runner.work_dir), self._sessions)
