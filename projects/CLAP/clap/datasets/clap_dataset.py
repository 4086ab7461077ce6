"""The data set class of all three sources (nuScenes, PandaSet, simulation): mmdet3d info files, labels optional."""
from __future__ import annotations

import os.path as osp
from typing import Callable, List, Optional, Sequence, Union

from mmdet3d.datasets import NuScenesDataset
from mmdet3d.datasets.transforms import LoadAnnotations3D
from mmdet3d.registry import DATASETS, TRANSFORMS
from mmengine.dist import get_rank
from mmengine.logging import print_log

from .errors import DatasetError
from .file_checks import expected_files, file_problems
from .info_file import check_cameras_exist, frame_problems, read_info_file

_ADVICE = ('Correct data_root / data_prefix / ann_file of the data set (or CLAP_DATA_ROOT), copy the files again, or '
           "convert the data again with tools/create_data.py. (verify='off' switches this check off.)")


@DATASETS.register_module()
class CLAPDataset(NuScenesDataset):
    """Frames of LiDAR sweeps and camera images for pre-training; labels are left out unless asked for.

    Args:
        data_root: folder that ``ann_file`` and the prefixes are relative to.
        ann_file: info file (mmdet3d 1.x: metainfo, data_list).
        pipeline: transforms.
        data_prefix: folders of ``pts``, ``sweeps``, ``img`` or of single cameras by name.
        cameras: names of the cameras to use, in this order; None takes the info file's.
        modality: dict(use_lidar, use_camera).
        with_annotations: keep ``instances`` and offer them as ``ann_info`` (fine-tuning; velocity included).
        filter_empty_gt: leave out frames without labelled boxes; only with ``with_annotations``.
        test_mode: evaluation; with annotations these go to ``eval_ann_info``.
        indices: an int takes the first frames, a list these frames.
        metainfo: overrides the classes.
        box_type_3d: as in mmdet3d.
        use_valid_flag: keep boxes by ``bbox_3d_isvalid`` instead of by their number of points.
        verify: at construction, ``'stat'`` checks info file, matrices, existence and size of every file (on rank 0),
            ``'full'`` also decodes every file, ``'off'`` nothing but the info file's format.
        serialize_data, lazy_init, backend_args: as in mmdet3d.
    """

    def __init__(self,
                 data_root: str,
                 ann_file: str,
                 pipeline: Sequence[Union[dict, Callable]] = (),
                 data_prefix: Optional[dict] = None,
                 cameras: Optional[Sequence[str]] = None,
                 modality: Optional[dict] = None,
                 with_annotations: bool = False,
                 filter_empty_gt: bool = False,
                 test_mode: bool = False,
                 indices: Optional[Union[int, Sequence[int]]] = None,
                 metainfo: Optional[dict] = None,
                 box_type_3d: str = 'LiDAR',
                 use_valid_flag: bool = False,
                 verify: str = 'stat',
                 serialize_data: bool = True,
                 lazy_init: bool = False,
                 backend_args: Optional[dict] = None) -> None:
        if verify not in ('stat', 'full', 'off'):
            raise ValueError(f"verify must be 'stat', 'full' or 'off', got {verify!r}")
        if filter_empty_gt and not with_annotations:
            raise ValueError('filter_empty_gt=True needs with_annotations=True: without labels every frame is empty')
        self.cameras = list(cameras) if cameras is not None else None
        self.with_annotations = with_annotations
        self.verify = verify
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            # built here from mmdet3d's registry, so that it works whatever MMEngine's default scope is
            pipeline=[TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline],
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
            backend_args=backend_args)
        self.show_ins_var = False
        if not with_annotations and any(isinstance(step, LoadAnnotations3D) for step in self.pipeline.transforms):
            raise ValueError('the pipeline has LoadAnnotations3D but the data set leaves labels out; '
                             'set with_annotations=True or remove the transform')
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Loads the info file, applies ``indices``, checks the files of the frames that are left, then packs them.

        Written out instead of calling the parent, which packs the frames into bytes before they could be checked.
        """
        if self._fully_initialized:
            return
        self.data_list = self.load_data_list()
        if self._indices is not None:
            self.data_list = self._get_unserialized_subset(self._indices)
        if self.verify != 'off' and self.backend_args is None and get_rank() == 0:
            self._verify_files()
        if self.serialize_data:
            self.data_bytes, self.data_address = self._serialize_data()
        self._fully_initialized = True
        if self.with_annotations:
            counts = zip(self.metainfo['classes'], self.num_ins_per_cat)
            print_log(f'{self.ann_file}: boxes: ' + ', '.join(f'{name} {count}' for name, count in counts), 'current')

    def load_data_list(self) -> List[dict]:
        """Parsed frames. Labels are dropped here when they are not wanted, so that they cost no memory."""
        content = read_info_file(self.ann_file, self.data_root)
        for key, value in content['metainfo'].items():
            self._metainfo.setdefault(key, value)
        frames = content['data_list']
        if self.cameras is not None and self.modality['use_camera']:
            check_cameras_exist(frames[0], self.cameras, self.ann_file)
        for frame in frames:
            self._select(frame)
        problems = [] if self.verify == 'off' else [
            problem for index, frame in enumerate(frames) for problem in
            frame_problems(frame, index, self.modality['use_camera'], self.modality['use_lidar'])]
        if problems:
            raise DatasetError.from_problems(f'info file {self.ann_file}', problems, _ADVICE)
        return [self.parse_data_info(frame) for frame in frames]

    def parse_data_info(self, info: dict) -> dict:
        """mmdet3d's parsing (absolute paths, boxes), also for PandaSet's extra point files."""
        prefix = self.data_prefix.get('pts', '')
        for key in ('origins_path', 'extra_lidar_path'):
            if self.modality['use_lidar'] and key in info['lidar_points']:
                info['lidar_points'][key] = osp.join(prefix, info['lidar_points'][key])
        return super().parse_data_info(info)

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
            frame.pop('cam_instances', None)

    def _verify_files(self) -> None:
        use_camera, use_lidar = self.modality['use_camera'], self.modality['use_lidar']
        files = [file for info in self.data_list for file in expected_files(info, use_camera, use_lidar)]
        problems = file_problems(files, open_files=self.verify == 'full')
        if problems:
            title = f'files of {self.ann_file} (data_root {self.data_root})'
            raise DatasetError.from_problems(title, problems, _ADVICE)
        frames = len(self.data_list)
        print_log(f'{self.ann_file}: {frames} frames, {len(files)} files checked ({self.verify})', 'current')
