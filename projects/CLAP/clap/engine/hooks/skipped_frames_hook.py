"""Counts the frames that ``on_broken_frame='skip'`` has left out, and lists them at the end."""

from __future__ import annotations

from collections import Counter
from typing import Dict

from mmdet3d.registry import HOOKS
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner

_KEY = 'skipped_frames'


@HOOKS.register_module()
class SkippedFramesHook(Hook):
    """Adds up what the datasets of all processes report; the count survives a resume."""

    priority = 'HIGH'

    def __init__(self) -> None:
        self._before: Counter = Counter()  # all ranks, up to the last epoch
        self._here: Counter = Counter()  # this rank, since then

    def before_train(self, runner: Runner) -> None:
        """Go on counting where the checkpoint stopped."""
        hub = runner.message_hub
        self._before = Counter(hub.get_info(_KEY)) if _KEY in hub.runtime_info else Counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Look for reports in the batch."""
        samples = data_batch.get('data_samples', []) if isinstance(data_batch, dict) else []
        reasons = [reason for sample in samples for reason in sample.metainfo.get(_KEY, [])]
        for reason in reasons:
            if reason not in self._here and reason not in self._before:
                runner.logger.warning(f'skipped a broken frame: {reason}')
            self._here[reason] += 1
        if reasons:
            runner.message_hub.update_info(_KEY, dict(self._before + self._here))

    def after_train_epoch(self, runner: Runner) -> None:
        """Add up over the ranks."""
        for counts in all_gather_object(dict(self._here)):
            self._before.update(counts)
        self._here.clear()
        if self._before:
            runner.message_hub.update_info(_KEY, dict(self._before))

    def after_train(self, runner: Runner) -> None:
        """The list."""
        dataset = runner.train_dataloader.dataset
        while not hasattr(dataset, 'dropped_frames') and hasattr(dataset, 'dataset'):
            dataset = dataset.dataset  # wrappers such as RepeatDataset
        dropped = getattr(dataset, 'dropped_frames', [])
        if not self._before and not dropped:
            return
        lines = [f'  {count} x {reason}' for reason, count in self._before.most_common()]
        lines += [f'  never loaded: {reason}' for reason in dropped]
        runner.logger.warning(
            f'{len(lines)} broken frames were skipped ({sum(self._before.values())} times):\n' + '\n'.join(lines)
        )

    @property
    def counts(self) -> Dict[str, int]:
        """Reason -> how often, as known to this rank."""
        return dict(self._before + self._here)
