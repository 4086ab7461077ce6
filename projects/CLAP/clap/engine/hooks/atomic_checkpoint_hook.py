"""Checkpoints that are written whole or not at all, and found again when the last one is broken."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

from mmdet3d.registry import HOOKS
from mmengine.dist import broadcast_object_list, is_main_process, master_only
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ...errors import CheckpointError, ConfigError
from ...files.atomic_file import PARTIAL, write_atomic
from ..checkpoint.compare import load_whole
from ..checkpoint.plain_state import plain_message_hub, to_plain
from ..checkpoint.read import allow_mmengine_checkpoints, checkpoint_problem
from ..checkpoint.resume import global_batch
from ..known_warnings import without_file_warnings
from ..unwrapped import unwrapped

_POINTER = 'last_checkpoint'
_INSTEAD = (
    'To begin a new run with the weights of a checkpoint, give it as load_from (--cfg-options load_from=CHECKPOINT, '
    'another --work-dir) instead of --resume'
)


def resumable_checkpoints(folder: Path) -> List[Path]:
    """Checkpoints of a work directory, the one to try first first: the last one written, then by age."""
    named = folder / _POINTER
    last = [Path(named.read_text().strip())] if named.is_file() else []
    # A work directory may have been moved since the path was written down.
    last = [path if path.is_file() else folder / path.name for path in last]
    others = [path for pattern in ('epoch_*.pth', 'iter_*.pth') for path in folder.glob(pattern) if path not in last]
    return last + sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook`` for runs that may be killed at any moment.

    - A checkpoint appears under its name only when all of it is on the disk; so does ``last_checkpoint``.
    - The oldest one is deleted after the new one is there, not before.
    - When it cannot be written (full disk, quota) the run stops, with the checkpoints before it intact.
    - ``--resume`` checks every byte of the last one first, and takes the one before it, and says so, if it is broken.
      One that is named is checked alike, and is taken or refused.
    - What is resumed must be this model's checkpoint, entry by entry; MMEngine would load what fits and go on.
    - Checkpoints hold tensors and plain containers only, so that no torch needs to be told about any class.

    Args:
        interval, by_epoch, save_optimizer, save_param_scheduler, save_last, save_begin, filename_tmpl:
            see ``CheckpointHook``.
        max_keep_ckpts: how many to keep, at least 2 so that there is one to fall back to; -1 keeps all.
        out_dir: must stay None; ``--resume`` looks in the work directory.
    """

    def __init__(
        self,
        interval: int = 1,
        by_epoch: bool = True,
        max_keep_ckpts: int = 3,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        save_last: bool = True,
        save_begin: int = 0,
        filename_tmpl: Optional[str] = None,
        out_dir: Optional[str] = None,
    ) -> None:
        if max_keep_ckpts != -1 and max_keep_ckpts < 2:
            raise ConfigError(
                'max_keep_ckpts must be at least 2 (or -1 for all), so that a broken checkpoint has one '
                f'before it to fall back to; got {max_keep_ckpts}'
            )
        if out_dir is not None:
            raise ConfigError(
                f'out_dir must be None, got {out_dir!r}: checkpoints lie in the work directory, where '
                '--resume looks for them; choose it by --work-dir'
            )
        super().__init__(
            interval=interval,
            by_epoch=by_epoch,
            max_keep_ckpts=max_keep_ckpts,
            save_optimizer=save_optimizer,
            save_param_scheduler=save_param_scheduler,
            save_last=save_last,
            save_begin=save_begin,
            filename_tmpl=filename_tmpl,
            backend_args=dict(backend='atomic_local'),
        )

    def before_run(self, runner: Runner) -> None:
        """Choose what an automatic resume goes on from, and check what was named, before the runner looks."""
        allow_mmengine_checkpoints()
        if runner._resume and runner._load_from is None:
            # One process decides for all: they must not go on from different states.
            chosen = [str(self._choose(runner) or '') if is_main_process() else '']
            broadcast_object_list(chosen)
            if chosen[0]:
                runner._load_from = chosen[0]
        elif runner._resume:
            problem = [self._named_problem(runner._load_from) if is_main_process() else '']
            broadcast_object_list(problem)
            if problem[0]:
                raise CheckpointError(
                    f'cannot be resumed from: {problem[0]}. Name a checkpoint that training wrote, or none: --resume '
                    f'alone takes the last whole one of the work directory. {_INSTEAD}'
                )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to resume another model's checkpoint, before its optimiser state is looked at."""
        if runner._resume:
            try:
                load_whole(unwrapped(runner.model), checkpoint, str(runner._load_from))
            except CheckpointError as error:
                raise CheckpointError(f'{error}\n{_INSTEAD}') from error

    @staticmethod
    def _named_problem(name: str) -> str:
        path = Path(name).expanduser()
        # Of a missing file and of addresses the loader says what is wrong.
        return (checkpoint_problem(path) or '') if path.is_file() else ''

    @staticmethod
    def _choose(runner: Runner) -> Optional[Path]:
        candidates = resumable_checkpoints(Path(runner.work_dir))
        problems = []
        for path in candidates:
            problem = checkpoint_problem(path)
            if problem is None:
                if problems:
                    runner.logger.warning(f'broken checkpoint: {problems[-1]}. Going on from the one before, {path}')
                return path
            problems.append(problem)
        if problems:
            raise CheckpointError(
                f'nothing in {runner.work_dir} can be resumed from: {"; ".join(problems)}. Remove '
                'these files to start from the beginning, or name a checkpoint: --resume CHECKPOINT'
            )
        return None

    def before_train(self, runner: Runner) -> None:
        """As the parent; what an interrupted write has left behind goes."""
        with without_file_warnings(runner.logger):
            super().before_train(runner)
        self._remove_partial(Path(runner.work_dir))

    def after_train(self, runner: Runner) -> None:
        """Write the last checkpoint by iterations again: the hooks of the epoch's end came after it."""
        super().after_train(runner)
        if not self.by_epoch and self.save_last:
            self._save_checkpoint_with_step(runner, runner.iter, dict(epoch=runner.epoch, iter=runner.iter))

    @master_only
    def _remove_partial(self, folder: Path) -> None:
        for path in folder.glob(f'*{PARTIAL}'):
            path.unlink(missing_ok=True)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave tensors and plain containers only."""
        checkpoint['message_hub'] = plain_message_hub(checkpoint['message_hub'])
        for name in ('meta', 'param_schedulers'):
            if name in checkpoint:
                checkpoint[name] = to_plain(checkpoint[name])

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Write, point to it, and only then delete what is too old."""
        outdated = []
        if self.max_keep_ckpts > 0:
            kept = [number for number in self.keep_ckpt_ids if number != step] + [step]
            # The checkpoint lists the outdated one too: if the run is killed before deleting it, the resumed one does.
            runner.message_hub.update_info('keep_ckpt_ids', kept)
            outdated = kept[: -self.max_keep_ckpts]
        path = Path(self.out_dir) / self.filename_tmpl.format(step)
        runner.message_hub.update_info('last_ckpt', str(path))
        try:
            runner.save_checkpoint(
                self.out_dir,
                path.name,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta={**meta, 'global_batch': global_batch(runner)},
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if is_main_process():
                write_atomic(Path(runner.work_dir) / _POINTER, str(path).encode())
        except OSError as error:
            raise CheckpointError(
                f'checkpoint {path} could not be written ({error}). The run stops; the checkpoints before it are '
                f'intact (last: {self.last_ckpt or "none"}). Make room, then --resume'
            ) from error
        self.last_ckpt = str(path)
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids.extend([] if step in self.keep_ckpt_ids else [step])  # a deque of max_keep_ckpts
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
            if is_main_process():
                for number in outdated:
                    (Path(self.out_dir) / self.filename_tmpl.format(number)).unlink(missing_ok=True)
