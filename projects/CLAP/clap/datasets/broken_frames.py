"""What happens to a frame that cannot be used: the run stops, or goes on without it."""

from __future__ import annotations

import re
from typing import Any, List

import numpy as np

from ..errors import CLAPError, DataError
from .seeded_sampler import seeded

#: Broken frames in a row after which it is not the frames that are at fault.
MOST_IN_A_ROW = 10
#: What would make the same cause look new every time.
_ADDRESS = re.compile(r' at 0x[0-9a-fA-F]+')
_MATRICES = ('cam2img', 'lidar2cam', 'cam2lidar', 'lidar2img', 'img_aug_matrix', 'lidar_aug_matrix')


def _advice(error: Exception) -> str:
    """The way out by the kind of an error that is none of ours."""
    leave_out = "leave the frame out (indices), or set on_broken_frame='skip'"
    if isinstance(error, MemoryError):
        return 'Less memory is taken by fewer workers (train_dataloader.num_workers) or smaller images'
    if isinstance(error, OSError):
        return f'Look whether the file can be read, copy it again, {leave_out}'
    if isinstance(error, KeyError):
        return (
            f'A transform of the pipeline asks for {error}, which neither the frame nor a transform before it gives: '
            f'add it to the info file, correct the pipeline, or {leave_out}'
        )
    return f'If it is this frame alone convert it again, {leave_out}; if it is every frame, a transform is at fault'


class BrokenFramePolicy:
    """Mixed into a dataset before its base class.

    Every error of the pipeline becomes a :class:`DataError` that names the
    frame. With ``on_broken_frame='skip'`` the next frame that loads takes its
    place, and its metainfo says so (``skipped_frames``); ``SkippedFramesHook``
    counts them. Random draws follow the seed that an index of
    :class:`SeededSampler` carries.
    """

    on_broken_frame = 'stop'
    #: Frames left out at construction because their entry in the info file is unusable, one line each.
    dropped_frames: List[str]

    def __getitem__(self, index: int) -> Any:
        """Frame ``index``, or the next usable one."""
        with seeded(getattr(index, 'seed', None)):
            if self.on_broken_frame == 'stop':
                return self._load(int(index))
            skipped: List[str] = []
            for step in range(min(MOST_IN_A_ROW, len(self))):  # type: ignore[arg-type]
                try:
                    sample = self._load((int(index) + step) % len(self))  # type: ignore[arg-type]
                except DataError as error:
                    skipped.append(_ADDRESS.sub('', str(error)))
                    continue
                if skipped:
                    sample['data_samples'].set_metainfo(dict(skipped_frames=skipped))
                return sample
        raise DataError(
            f'{len(skipped)} frames in a row cannot be used: on_broken_frame gives up skipping; first: {skipped[0]}'
        )

    def _load(self, index: int) -> Any:
        try:
            sample = super().__getitem__(index)  # type: ignore[misc]
        except CLAPError:  # says what to do
            raise
        except Exception as error:  # decoders of damaged files raise anything; the cause stays attached
            what = f'frame {index} ({self._name(index)}) cannot be loaded: {type(error).__name__}: {error}'
            raise DataError(f'{what}. {_advice(error)}') from error
        self._check_matrices(sample, index)
        return sample

    def _check_matrices(self, sample: Any, index: int) -> None:
        if not isinstance(sample, dict) or 'data_samples' not in sample:
            return
        meta = sample['data_samples'].metainfo
        for key in _MATRICES:
            if key in meta and not np.isfinite(np.asarray(meta[key], dtype=np.float32)).all():
                raise DataError(
                    f'frame {index} ({self._name(index)}): {key} holds NaN, Inf or numbers too large for '
                    'float32; correct the calibration in the info file, or convert the data again'
                )

    def _name(self, index: int) -> str:
        try:
            info = self.get_data_info(index)  # type: ignore[attr-defined]
            return str(info.get('lidar_points', {}).get('lidar_path') or info.get('token', 'no name'))
        except Exception:  # the name is for a message only
            return 'no name'
