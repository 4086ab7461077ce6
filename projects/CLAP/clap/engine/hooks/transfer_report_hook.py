"""Says what a run got from the weights it was given, and stops it if that is too little."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from mmdet3d.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from ...encoders.encoder_base import ENCODERS
from ...errors import CheckpointError, ConfigError
from ..checkpoint.compare import checkpoint_state, compare, other_geometry, problems, table
from ..checkpoint.read import learned_voxels
from ..unwrapped import unwrapped

#: What the hook leaves in the work directory.
TRANSFER_NAME = 'transfer.json'


@HOOKS.register_module()
class TransferReportHook(Hook):
    """Checks ``load_from`` by value, before the first step.

    MMEngine loads what fits and warns about the rest. This hook compares the
    model with the checkpoint after loading, entry by entry, logs a table,
    writes it to ``transfer.json`` in the work directory, and raises
    :class:`CheckpointError` when a module that was asked for has entries of
    another shape, refused ones, or less than ``min_share`` of its numbers from
    the checkpoint. Evaluation asks for everything. A resumed run is left to
    :class:`AtomicCheckpointHook`, which takes the whole checkpoint or none of it.

    Args:
        min_share: share of each module's numbers that must come from the checkpoint.
        modules: the modules that are asked for; None means every encoder that the model has.
    """

    priority = 'LOW'

    def __init__(self, min_share: float = 0.99, modules: Optional[Sequence[str]] = None) -> None:
        if not 0.0 < min_share <= 1.0:
            raise ConfigError(f'min_share must be in (0, 1], got {min_share}')
        unknown = set(modules or ()) - {*ENCODERS, 'bbox_head'}
        if unknown:
            raise ConfigError(f'modules: {", ".join(sorted(unknown))} unknown; choose from {", ".join(ENCODERS)}')
        self.min_share, self.modules = min_share, None if modules is None else list(modules)
        self._source: Optional[Dict[str, Tensor]] = None
        self._name, self._voxels = '', None

    def after_load_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Remember what the file holds; called before MMEngine puts it into the model."""
        if not runner._resume:
            self._name = str(runner._load_from or 'the checkpoint')
            self._source, self._voxels = checkpoint_state(checkpoint, self._name), learned_voxels(checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Check the encoders."""
        if self._source is None:
            if runner._load_from is None and not runner._resume:
                runner.logger.info('transfer: load_from is not set, the encoders start from their initialisation')
            return
        model = unwrapped(runner.model)
        self._check(
            runner,
            self.modules or [name for name in ENCODERS if getattr(model, name, None) is not None],
            self.min_share,
        )

    def before_val(self, runner: Runner) -> None:
        """A validation of its own is an evaluation."""
        self.before_test(runner)

    def before_test(self, runner: Runner) -> None:
        """Check the whole model: a metric of half a model is no metric."""
        if self._source is not None:
            model = unwrapped(runner.model)
            self._check(runner, list(dict.fromkeys(k.split('.')[0] for k in model.state_dict())), 1.0)

    def _check(self, runner: Runner, asked: List[str], min_share: float) -> None:
        model = unwrapped(runner.model)
        reports = compare(model, self._source)
        self._geometry(runner, model.state_dict(), self._source)
        self._grid(runner, model)
        self._source = None
        runner.logger.info(f'transfer from {self._name} (* asked for, compared by value):\n' + table(reports, asked))
        found = problems(reports, asked, min_share)
        encoders = [reports[name] for name in ENCODERS if name in reports]
        if is_main_process():
            record = dict(
                load_from=self._name,
                asked=asked,
                min_share=min_share,
                problems=found,
                share=sum(r.taken_numbers for r in encoders) / max(sum(r.numbers for r in encoders), 1),
                modules={
                    name: dict(
                        entries=r.total,
                        loaded=r.taken,
                        numbers=r.numbers,
                        share=r.share,
                        missing=len(r.missing),
                        other_shape=len(r.other_shape),
                        refused=len(r.not_taken) + len(r.not_finite),
                        unexpected=len(r.unexpected),
                    )
                    for name, r in reports.items()
                },
            )
            (Path(runner.work_dir) / TRANSFER_NAME).write_text(json.dumps(record, indent=1))
        if found:
            whole = [name for name in asked if not problems(reports, [name], min_share)]
            raise CheckpointError(
                f'{self._name} did not give this model the weights that were asked for:\n  - '
                + '\n  - '.join(found)
                + '\n'
                + table(reports, asked)
                + '\nGive a checkpoint of the same encoders. To start from a part of them on purpose (a method may '
                'train a part alone), name the part: --cfg-options default_hooks.transfer.type=TransferReportHook '
                f'default_hooks.transfer.modules=[{",".join(whole) or "NAME"}]'
            )

    def _grid(self, runner: Runner, model: nn.Module) -> None:
        """Kernels fit voxels of any size, and see other sizes than they learned."""
        own = (getattr(model, 'voxelize_cfg', None) or {}).get('voxel_size')
        if own and self._voxels and model.pts_middle_encoder is not None and list(self._voxels) != list(own):
            runner.logger.warning(
                f'the encoder learned on voxels of {list(self._voxels)}, this model has {list(own)}: it sees other '
                'sizes than it knows. Unless that is meant, set model.voxelize_cfg.voxel_size to the former'
            )

    @staticmethod
    def _geometry(runner: Runner, own: Mapping[str, Tensor], source: Mapping[str, Tensor]) -> None:
        other = other_geometry(own, source)
        if other:
            runner.logger.warning(
                f'the checkpoint was made with another geometry of the view transform '
                f'({"; ".join(other)}); the configuration\'s is kept'
            )
