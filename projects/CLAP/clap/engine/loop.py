"""Training by epochs that can go on in the middle of one."""

from __future__ import annotations

from mmdet3d.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

from ..errors import CheckpointError


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that resumes from a checkpoint of any iteration.

    MMEngine's starts the epoch again, and trains on its first batches twice.
    This one leaves them out, without loading them; it needs
    :class:`SeededSampler`, whose frames do not depend on what was loaded before.
    """

    def run_epoch(self) -> None:
        """Run one epoch, or what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        start = self._first_batch()
        for idx, data_batch in enumerate(self.dataloader, start):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _first_batch(self) -> int:
        """Batches of this epoch that the checkpoint has behind it."""
        batches = len(self.dataloader)
        done = self._iter - self._epoch * batches
        if done == 0:
            return 0
        if not 0 < done <= batches:
            raise CheckpointError(
                f'the checkpoint counts {self._iter} iterations in {self._epoch} epochs, this run has {batches} '
                'batches an epoch: another batch size, number of processes, data set or class_balanced. Go on with '
                'what the run had, or begin a new one with its weights: load_from=CHECKPOINT, another --work-dir, no '
                '--resume'
            )
        sampler = self.dataloader.sampler
        if not hasattr(sampler, 'start_at'):
            self.runner.logger.warning(
                f'{type(sampler).__name__} cannot begin in the middle of an epoch (SeededSampler can): the epoch '
                'starts from its beginning; the result will not be that of an uninterrupted run'
            )
            return 0
        self.runner.logger.info(f'going on with batch {done + 1} of {batches} of epoch {self._epoch + 1}')
        sampler.start_at(done * self.dataloader.batch_size)
        return done
