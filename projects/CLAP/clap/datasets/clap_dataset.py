"""The data set class of all three sources (nuScenes, PandaSet, simulation): mmdet3d info files, labels optional."""

from __future__ import annotations

import logging
import os.path as osp
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmdet3d.datasets import NuScenesDataset
from mmdet3d.datasets.transforms import LoadAnnotations3D
from mmdet3d.registry import DATASETS, TRANSFORMS
from mmengine.dist import get_rank
from mmengine.logging import print_log

from ..errors import ConfigError, DatasetError
from .broken_frames import BrokenFramePolicy
from .class_balance import balanced_frames, draws_per_class, frames_by_class
from .file_checks import expected_files, file_problems, files_advice, reading_problems
from .info_file import check_cameras_exist, frame_name, frame_problems, read_info_file
from .labels import box_problems, instance_problems, label_mapping
from .semantics import ClassNames, labelled_frames, semantic_table
from .shares import chosen_frames

_ENTRIES_ADVICE = (
    'Correct these entries, or make the info file again with the converter of these data (tools/create_data.py). '
    "(verify='off' switches this check off.)"
)


Pipeline = Union[Sequence[Union[dict, Callable]], Dict[str, Union[dict, Callable, None]]]


def steps_of(pipeline: Pipeline) -> List[Union[dict, Callable]]:
    """The transforms of a pipeline in their order; those left out by None are not among them."""
    steps = pipeline.values() if isinstance(pipeline, dict) else pipeline
    return [step for step in steps if step is not None]


@DATASETS.register_module()
class CLAPDataset(BrokenFramePolicy, NuScenesDataset):
    """Frames of LiDAR sweeps and camera images for pre-training; labels are left out unless asked for.

    Args:
        data_root: folder that ``ann_file`` and the prefixes are relative to.
        ann_file: info file (mmdet3d 1.x: metainfo, data_list).
        pipeline: transforms, a list, or a dict of named ones in their order, so that a configuration can change one by
            its name; None leaves one out.
        data_prefix: folders of ``pts``, ``sweeps``, ``semantic`` (default: that of ``pts``), ``img`` or of single
            cameras by name.
        cameras: names of the cameras to use, in this order; None takes the info file's.
        modality: dict(use_lidar, use_camera).
        with_annotations: keep ``instances`` and offer them as ``ann_info`` (fine-tuning; velocity included).
        filter_empty_gt: leave out frames without labelled boxes; only with ``with_annotations``.
        test_mode: evaluation; with annotations these go to ``eval_ann_info``.
        indices: an int takes the first frames, a list these frames.
        load_interval: every n-th of these frames, starting with the first: a uniform share of 1 / n.
        load_offset: which of these frames is the first one, below ``load_interval``: another share of the same size.
        keep_length: an epoch stays as long as with all frames of the file, the chosen ones repeat.
        class_balanced: draw the chosen frames once, with replacement, so that each class is drawn for equally often, as
            mmdet3d's ``CBGSDataset`` does; from the run's seed with :class:`SeededSampler`, else from 0. With
            ``keep_length`` the drawn list repeats until it is as long as that of all frames.
        absent_classes: a class without a box in the chosen frames: ``'warn'`` and go on without it, or ``'stop'``.
        metainfo: overrides the classes.
        merged_classes: class of ``metainfo.classes`` -> names of the info file that count as it, e.g. vehicle,
            pedestrian and cyclist from nuScenes' ten; None: every class is its own.
        semantic_classes: class -> names in the info file (``metainfo.semantic_classes``) that count as it: frames whose
            points have classes, which the keyframe's loading then gives; None leaves them out.
        box_type_3d: as in mmdet3d.
        use_valid_flag: keep boxes by ``bbox_3d_isvalid`` instead of by their number of points.
        verify: at construction, ``'stat'`` checks info file, matrices, existence and size of every file (on rank 0),
            ``'full'`` also decodes every file, ``'off'`` nothing but the info file's format.
        on_broken_frame: ``'stop'`` the run at a frame that cannot be used, or ``'skip'`` it: the next usable one takes
            its place, and ``SkippedFramesHook`` lists it at the end.
        serialize_data, lazy_init, backend_args: as in mmdet3d.
    """

    def __init__(
        self,
        data_root: str,
        ann_file: str,
        pipeline: Pipeline = (),
        data_prefix: Optional[dict] = None,
        cameras: Optional[Sequence[str]] = None,
        modality: Optional[dict] = None,
        with_annotations: bool = False,
        filter_empty_gt: bool = False,
        test_mode: bool = False,
        indices: Optional[Union[int, Sequence[int]]] = None,
        load_interval: int = 1,
        load_offset: int = 0,
        keep_length: bool = False,
        class_balanced: bool = False,
        absent_classes: str = 'warn',
        metainfo: Optional[dict] = None,
        merged_classes: Optional[ClassNames] = None,
        semantic_classes: Optional[ClassNames] = None,
        box_type_3d: str = 'LiDAR',
        use_valid_flag: bool = False,
        verify: str = 'stat',
        on_broken_frame: str = 'stop',
        serialize_data: bool = True,
        lazy_init: bool = False,
        backend_args: Optional[dict] = None,
    ) -> None:
        if verify not in ('stat', 'full', 'off'):
            raise ConfigError(f"verify must be 'stat', 'full' or 'off', got {verify!r}")
        if on_broken_frame not in ('stop', 'skip'):
            raise ConfigError(f"on_broken_frame must be 'stop' or 'skip', got {on_broken_frame!r}")
        if absent_classes not in ('warn', 'stop'):
            raise ConfigError(f"absent_classes must be 'warn' or 'stop', got {absent_classes!r}")
        self.on_broken_frame, self.dropped_frames = on_broken_frame, []
        if class_balanced and (test_mode or not with_annotations):
            raise ConfigError('class_balanced=True needs with_annotations=True, and is for training (test_mode=False)')
        if filter_empty_gt and not with_annotations:
            raise ConfigError('filter_empty_gt=True needs with_annotations=True: without labels every frame is empty')
        if not isinstance(load_interval, int) or load_interval < 1:
            raise ConfigError(f'load_interval must be a whole number of at least 1, got {load_interval!r}')
        if not isinstance(load_offset, int) or not 0 <= load_offset < load_interval:
            raise ConfigError(
                f'load_offset must be a whole number below load_interval = {load_interval}, got {load_offset!r}'
            )
        self.load_interval, self.load_offset, self.keep_length = load_interval, load_offset, keep_length
        self.class_balanced, self.absent_classes = class_balanced, absent_classes
        metainfo = dict(metainfo or {})
        self._given = set(metainfo)  # what the info file must not overrule
        classes = metainfo.pop('classes', None)  # mmdet3d takes nuScenes' names alone
        self.tokens: List[str] = []  # of the chosen frames, and of all in the file
        self.tokens_of_file: List[str] = []
        self._full_length, self._order = 0, np.zeros(0, dtype=np.int64)
        self._by_class: List[np.ndarray] = []
        self.labels: dict = {}  # frames chosen, of how many, percent; and see _count_labels
        self._sweep_folders: Dict[str, str] = {}
        self.merged_classes = merged_classes
        self.semantic_classes, self._semantic_table = semantic_classes, None
        self.cameras = list(cameras) if cameras is not None else None
        self.with_annotations = with_annotations
        self.verify = verify
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            # built here from mmdet3d's registry, so that it works whatever MMEngine's default scope is
            pipeline=[TRANSFORMS.build(step) if isinstance(step, dict) else step for step in steps_of(pipeline)],
            data_prefix=dict(data_prefix) if data_prefix is not None else dict(pts='', sweeps='', img=''),
            modality=dict(modality) if modality is not None else dict(use_lidar=True, use_camera=True),
            filter_empty_gt=filter_empty_gt,
            test_mode=test_mode,
            indices=indices,
            metainfo=metainfo,
            box_type_3d=box_type_3d,
            use_valid_flag=use_valid_flag,
            serialize_data=serialize_data,
            lazy_init=True,
            backend_args=backend_args,
        )
        self.show_ins_var = False
        if classes is not None:
            self._metainfo['classes'] = self._load_metainfo(dict(classes=classes))['classes']
        if not with_annotations and any(isinstance(step, LoadAnnotations3D) for step in self.pipeline.transforms):
            raise ConfigError(
                'the pipeline has LoadAnnotations3D but the data set leaves labels out; '
                'set with_annotations=True or remove the transform'
            )
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Loads the info file, applies ``indices``, checks the files of the frames that are left, then packs them.

        Written out instead of calling the parent, which packs the frames into bytes before they could be checked.
        """
        if self._fully_initialized:
            return
        frames = self.load_data_list()
        self._full_length = len(frames)
        self.data_list = chosen_frames(frames, self._indices, self.load_interval, self.load_offset, self.ann_file)
        self.tokens = [str(info.get('token')) for info in self.data_list]
        self._check_target_sweeps()
        if self.verify != 'off' and self.backend_args is None and get_rank() == 0:
            self._verify_files()
            for step in self.pipeline.transforms:
                if hasattr(step, 'check_frames'):
                    step.check_frames(self.data_list)
        percent = round(100 * len(self.data_list) / max(len(frames), 1), 3)
        self.labels = dict(frames=len(self.data_list), of=len(frames), percent=percent)
        if self.with_annotations:
            self._count_labels()
        self._order = np.arange(len(self.data_list))
        if self.class_balanced:
            everywhere, self._by_class = self._frames_by_class(frames), self._frames_by_class(self.data_list)
            self._full_length = draws_per_class(everywhere) * sum(len(own) > 0 for own in everywhere)
            self._order = balanced_frames(self._by_class, 0)
            print_log(f'{self.ann_file}: {len(self._order)} frames of an epoch, balanced over classes', 'current')
        if self.serialize_data:
            self.data_bytes, self.data_address = self._serialize_data()
        self._fully_initialized = True

    def _check_target_sweeps(self) -> None:
        wanted = max((getattr(step, 'target_sweeps', 0) for step in self.pipeline.transforms), default=0)
        if wanted and not any(info.get('lidar_sweeps') for info in self.data_list):
            raise DatasetError(
                f'target_sweeps={wanted}, but no frame of {self.ann_file} has an earlier sweep (lidar_sweeps); set it '
                'to 0, or make the info file with sweeps (docs/datasets/your_own.md)'
            )

    def _count_labels(self) -> None:
        """``boxes`` of the chosen frames by class, and the ``absent`` classes.

        No box to train on is an error, absent classes are a warning.
        """
        names = self.metainfo['classes']
        labels = [info['eval_ann_info' if self.test_mode else 'ann_info']['gt_labels_3d'] for info in self.data_list]
        found = np.concatenate(labels) if labels else np.zeros(0, dtype=np.int64)
        counts: Dict[str, int] = {name: int((found == index).sum()) for index, name in enumerate(names)}
        absent = [name for name, count in counts.items() if not count]
        self.labels.update(boxes=counts, absent=absent)
        where = f'{self.ann_file}, {len(self.data_list)} frames'
        print_log(f'{where}: boxes: ' + ', '.join(f'{name} {count}' for name, count in counts.items()), 'current')
        if self.test_mode:
            return
        if not any(counts.values()):
            raise DatasetError(
                f'{where}: no labelled box of the classes {", ".join(names)} in the chosen frames. '
                'A detector needs labels: choose more or other frames (indices, load_interval), make '
                'the info file with labels, or correct metainfo.classes'
            )
        if absent and self.absent_classes == 'stop':
            raise DatasetError(
                f'{where}: no box of {", ".join(absent)}. Choose more or other frames (indices, load_interval, '
                "load_offset), leave the class out of metainfo.classes, or go on without it: absent_classes='warn'"
            )
        if absent:
            print_log(
                f'{where}: no box of {", ".join(absent)}: the detector cannot learn what it never sees; expect '
                'an average precision of about 0 there, and mAP to count it',
                'current',
                logging.WARNING,
            )

    def _frames_by_class(self, frames: List[dict]) -> List[np.ndarray]:
        labels = [info['ann_info']['gt_labels_3d'] for info in frames]
        return frames_by_class(labels, len(self.metainfo['classes']))

    def set_seed(self, seed: int) -> None:
        """Draw the frames of a class-balanced epoch from the run's seed; the same on every rank, and after a resume."""
        self.full_init()
        if self.class_balanced:
            self._order = balanced_frames(self._by_class, seed)

    def __len__(self) -> int:
        """Frames of an epoch."""
        self.full_init()
        return self._full_length if self.keep_length else len(self._order)

    def get_data_info(self, idx: int) -> dict:
        """Information of a frame; with ``keep_length`` the chosen frames follow each other again and again."""
        self.full_init()
        place = idx % len(self._order) if self.keep_length else idx
        info = super().get_data_info(int(self._order[place]))
        return info if self._semantic_table is None else dict(info, semantic_table=self._semantic_table)

    def load_data_list(self) -> List[dict]:
        """Parsed frames. Labels are dropped here when they are not wanted, so that they cost no memory."""
        content = read_info_file(self.ann_file, self.data_root)
        self._metainfo.update({key: value for key, value in content['metainfo'].items() if key not in self._given})
        if self.with_annotations:
            categories, names = content['metainfo'].get('categories'), list(self._metainfo['classes'])
            self.label_mapping = label_mapping(categories, names, self.ann_file, self.merged_classes)
            self.num_ins_per_cat = [0] * len(names)
        frames = content['data_list']
        self.tokens_of_file = [str(frame.get('token')) for frame in frames if isinstance(frame, dict)]
        if self.cameras is not None and self.modality['use_camera'] and isinstance(frames[0], dict):
            check_cameras_exist(frames[0], self.cameras, self.ann_file)
        parsed, self.dropped_frames = [], []
        for index, frame in enumerate(frames):
            info, problems = self._read_entry(frame, index)
            self.dropped_frames += problems
            if info is not None:
                parsed.append(info)
        if self.dropped_frames and (self.on_broken_frame == 'stop' or not parsed):
            raise DatasetError.from_problems(f'info file {self.ann_file}', self.dropped_frames, _ENTRIES_ADVICE)
        if self.dropped_frames:
            print_log(
                f'{self.ann_file}: {len(frames) - len(parsed)} of {len(frames)} frames left out, their entries '
                f'are unusable; the first: {self.dropped_frames[0]}',
                'current',
                logging.WARNING,
            )
        if self.semantic_classes is None:
            return parsed
        known = content['metainfo'].get('semantic_classes')
        self._semantic_table = semantic_table(known, self.semantic_classes, self.ann_file)
        return labelled_frames(parsed, self.ann_file)

    def _read_entry(self, frame: dict, index: int) -> Tuple[Optional[dict], List[str]]:
        """The parsed entry of a frame, or None and what makes it unusable."""
        if not isinstance(frame, dict):
            return None, [f'frame {index} is a {type(frame).__name__}, expected a dict']
        use_camera, use_lidar = self.modality['use_camera'], self.modality['use_lidar']
        try:
            self._select(frame)
            where = frame_name(frame, index)
            problems = [] if self.verify == 'off' else frame_problems(frame, index, use_camera, use_lidar, self._sweeps)
            if not problems and use_lidar and self.verify != 'off':
                problems = reading_problems(frame, self.pipeline.transforms, where, self._sweeps)
            if not problems and self.with_annotations:
                flag = 'bbox_3d_isvalid' if self.use_valid_flag else 'num_lidar_pts'
                problems = instance_problems(frame.get('instances'), self.label_mapping, where, flag)
            if problems:
                return None, problems
            info = self.parse_data_info(frame)
            if self.with_annotations:
                found = info['eval_ann_info' if self.test_mode else 'ann_info']
                boxes, labels = found['gt_bboxes_3d'].tensor.numpy(), found['gt_labels_3d']
                problems = box_problems(boxes, labels, self._metainfo['classes'], where)
            if problems:
                return None, problems
            for file in expected_files(info, use_camera, use_lidar, self._sweeps):
                if not isinstance(file.path, str) or not isinstance(file.row_bytes, (int, type(None))):
                    raise TypeError(f'{file.key} is {file.path!r} with {file.row_bytes!r} bytes a point')
        except DatasetError:
            raise
        except Exception as error:  # whatever stands where something else is expected
            return None, [f'frame {index} is malformed: {type(error).__name__}: {error}']
        return info, []

    def parse_data_info(self, info: dict) -> dict:
        """mmdet3d's parsing (absolute paths, boxes), also for PandaSet's extra files and for sweeps in folders."""
        if not self.modality['use_lidar']:
            return super().parse_data_info(info)
        folder = self.data_prefix.get('pts', '')
        folders = dict(origins_path=folder, extra_lidar_path=folder)
        folders['semantic_path'] = self.data_prefix.get('semantic', folder)
        for key, folder in folders.items():
            if key in info['lidar_points']:
                info['lidar_points'][key] = osp.join(folder, info['lidar_points'][key])
        sweeps = [sweep['lidar_points'] for sweep in info.get('lidar_sweeps', [])]
        paths = [self._sweep_path(sweep['lidar_path']) for sweep in sweeps]
        info = super().parse_data_info(info)  # which keeps nothing but the names of the sweeps' files
        for sweep, path in zip(sweeps, paths):
            sweep['lidar_path'] = path
        return info

    def _sweep_path(self, path: str) -> str:
        """Where a sweep is: absolute, below ``data_prefix.sweeps`` or ``data_root``, or as mmdet3d has it.

        Info files of mmdet3d hold the path on the machine that made them; of it the file's name is kept, and whether it
        is a keyframe (``samples``). A folder is looked up once.
        """
        folder, name = osp.split(path)
        if folder not in self._sweep_folders:
            below = self.data_prefix.get('sweeps', self.data_root or '')
            tried = [osp.join(below, folder), osp.join(self.data_root or '', folder)]
            own = below if 'samples' not in folder.split('/') else self.data_prefix.get('pts', '')
            self._sweep_folders[folder] = next((place for place in tried if osp.isdir(place)), own if folder else below)
        return osp.join(self._sweep_folders[folder], name)

    def parse_ann_info(self, info: dict) -> dict:
        """mmdet3d's boxes and labels, or nothing when labels are left out."""
        return super().parse_ann_info(info) if self.with_annotations else {}

    def _select(self, frame: dict) -> None:
        """Keeps the chosen cameras in the chosen order and drops what is not used."""
        if not self.modality['use_camera']:
            frame.pop('images', None)
        elif self.cameras is not None:
            frame['images'] = {name: frame['images'][name] for name in self.cameras if name in frame.get('images', {})}
        if not self.with_annotations:
            frame['instances'] = []
            if self.semantic_classes is None:
                frame.get('lidar_points', {}).pop('semantic_path', None)
            frame.pop('cam_instances', None)

    @property
    def _sweeps(self) -> Optional[int]:
        """How many of a frame's sweeps, from the first, the pipeline may read; None: any of them."""
        steps = self.pipeline.transforms
        if not steps or any(getattr(s, 'sweeps_num', 0) and not getattr(s, 'test_mode', False) for s in steps):
            return None  # in training some of them are drawn
        return max(max(getattr(step, key, 0) for key in ('sweeps_num', 'target_sweeps')) for step in steps)

    def _verify_files(self) -> None:
        use_camera, use_lidar = self.modality['use_camera'], self.modality['use_lidar']
        files = [file for info in self.data_list for file in expected_files(info, use_camera, use_lidar, self._sweeps)]
        problems = file_problems(files, open_files=self.verify == 'full')
        if problems:
            title = f'files of {self.ann_file} (data_root {self.data_root})'
            error = DatasetError.from_problems(title, problems, files_advice(problems))
            if self.on_broken_frame == 'stop':
                raise error
            print_log(f'{error} The frames concerned will be skipped.', 'current', logging.WARNING)
        frames = len(self.data_list)
        print_log(f'{self.ann_file}: {frames} frames, {len(files)} files checked ({self.verify})', 'current')
