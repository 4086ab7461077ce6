"""Data roots, info files and what their frames look like."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from . import calibration, images
from .boxes import Array, count_boxes, judge_boxes
from .findings import BAD, GOOD, WATCH, Finding

FRAMES_LOOKED_AT = 5
CALIBRATION_FRAMES = 3
OBJECTS_LOOKED_AT = 50


def check_root() -> List[Finding]:
    """The folder of all data and which sets it holds; for a run without a configuration."""
    from projects.CLAP.clap.datasets.info_file import MAKE

    root = Path(os.environ.get('CLAP_DATA_ROOT') or 'data')
    if not root.is_dir():
        return [
            Finding(
                WATCH,
                'data root',
                f'{root} is not a folder (seen from {Path.cwd()})',
                'export CLAP_DATA_ROOT=/where/the/data/are, or make some: ' + MAKE['sim'].format(folder=root / 'sim'),
            )
        ]
    findings = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        files = sorted(folder.glob('*_infos_*.pkl'))
        for path in files:
            findings += check_info_file(str(path), str(folder))[0]
        if not files and folder.name in MAKE:
            findings.append(
                Finding(WATCH, 'info file', f'{folder} holds none', MAKE[folder.name].format(folder=folder))
            )
    if findings:
        return findings
    below = sorted({path.parent.parent for path in root.glob('*/*/*_infos_*.pkl')})
    if below:
        return [
            Finding(
                WATCH,
                'data root',
                f'{root} holds no data set itself, but {", ".join(map(str, below))} '
                f'{"does" if len(below) == 1 else "do"}',
                'export CLAP_DATA_ROOT=' + ', or export CLAP_DATA_ROOT='.join(str(path.absolute()) for path in below),
            )
        ]
    return [
        Finding(
            WATCH,
            'data root',
            f'{root} holds none of {", ".join(MAKE)}, nor another folder with info files',
            MAKE['sim'].format(folder=root / 'sim'),
        )
    ]


def check_info_file(ann_file: str, data_root: Optional[str]) -> Tuple[List[Finding], List[Dict[str, Any]]]:
    """The stamp of an info file: version, frames, size, age, format; also its raw frames (none if it is unusable)."""
    from projects.CLAP.clap.datasets.info_file import read_info_file
    from projects.CLAP.clap.errors import DataError

    try:
        content = read_info_file(ann_file, data_root)
    except DataError as error:
        return [Finding(BAD, 'info file', str(error), _make_again(ann_file))], []
    frames, meta, stat = content['data_list'], content['metainfo'], os.stat(ann_file)
    days = (time.time() - stat.st_mtime) / 86400
    about = (
        f'{ann_file}: info_version {meta.get("info_version", "not stated")}, {meta.get("dataset", "dataset?")} '
        f'{meta.get("version", "")}, {len(frames)} frames, {stat.st_size / 2**20:.1f} MiB, {days:.1f} days old'
    )
    if 'info_version' not in meta:
        return [
            Finding(WATCH, 'info file', about, "add info_version='1.1' to its metainfo, or make the file again")
        ], frames
    return [Finding(GOOD, 'info file', about)], frames


def _make_again(ann_file: str) -> str:
    from projects.CLAP.clap.datasets.info_file import remake

    return remake(ann_file)


def datasets_of(cfg: Any) -> Iterator[Tuple[str, Any]]:
    """(name of the loader, config of the innermost data set) of a configuration, each info file once."""
    seen = set()
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        node = (cfg.get(loader) or {}).get('dataset')
        while node is not None and 'ann_file' not in node and 'dataset' in node:  # wrappers such as CBGSDataset
            node = node['dataset']
        if node is not None and 'ann_file' in node:
            key = os.path.join(node.get('data_root') or '', node['ann_file'])
            if key not in seen:
                seen.add(key)
                yield loader, node


def check_config_data(cfg: Any, pictures: Optional[str] = None) -> List[Finding]:
    """Everything about the data of a configuration: stamps, files, calibration, boxes.

    Args:
        cfg: configuration.
        pictures: folder for a picture of the LiDAR points on the images of one frame of each info file.
    """
    findings: List[Finding] = []
    for loader, node in datasets_of(cfg):
        if node.get('type') == 'CLAPObjectDataset':
            findings.append(check_objects(loader, node))
            continue
        ann_file = os.path.join(node.get('data_root') or '', node['ann_file'])
        stamp, frames = check_info_file(ann_file, node.get('data_root'))
        findings += stamp
        if frames:
            findings += check_frames(cfg, loader, node, ann_file, pictures)
    return findings or [
        Finding(WATCH, 'data', 'the configuration names no info file', 'give a configuration of projects/CLAP/configs')
    ]


def check_objects(loader: str, node: Any) -> Finding:
    """Whether some of the single objects, evenly picked, can be read with what the data set asks for."""
    from mmdet3d.registry import DATASETS

    from projects.CLAP.clap.errors import CLAPError

    try:
        dataset = DATASETS.build(node)
        picked = sorted({int(index) for index in np.linspace(0, len(dataset) - 1, OBJECTS_LOOKED_AT)})
        for index in picked:
            dataset[index]
    except CLAPError as error:
        return Finding(BAD, 'objects', f'{loader}: {error}', 'see there')
    classes = len(dataset.metainfo['classes'])
    about = f'{node.data_root}: {len(dataset)} objects of {classes} classes for {loader}; {len(picked)} of them read'
    return Finding(GOOD, 'objects', about)


def check_frames(cfg: Any, loader: str, node: Any, ann_file: str, pictures: Optional[str] = None) -> List[Finding]:
    """Files of one info file, and what a few of its frames look like in the configuration's own pipeline."""
    import torch
    from mmdet3d.registry import DATASETS
    from mmengine.config import ConfigDict

    from projects.CLAP.clap.datasets.checks import check_dataset
    from projects.CLAP.clap.errors import DataError
    from projects.CLAP.clap.functional.voxelize import GRIDS, cartesian

    try:
        node = ConfigDict({**node, 'serialize_data': False})
        raw = DATASETS.build({**node, 'pipeline': [], 'lazy_init': False})
        findings = [Finding(GOOD, 'files', f'{ann_file}: every file it names exists and has a possible size')]
        findings += _stale(raw, ann_file)
        samples = list(_raw_frames(raw, ann_file, node.get('data_root')))
        findings += judge_boxes(count_boxes(samples), ann_file)
        findings += _check_calibration(raw, ann_file, pictures)
        limits, in_grid = _point_cloud_range(cfg), GRIDS.get(cfg.model.get('grid'), cartesian)
        if limits is not None:
            clouds = [in_grid(torch.from_numpy(points)).numpy() for points, _, _ in samples]
            findings.append(_judge_range(clouds, limits, ann_file))
        if limits is None or not _packs_keyframes(node):
            return findings
        node['verify'] = 'off'
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # blind cameras become findings of their own
            voxels = cfg.model.get('voxelize_cfg') if cfg.model.get('pts_middle_encoder') else None
            voxels = voxels and dict(voxels, point_cloud_range=limits, max_voxels=voxels['max_voxels'][0])
            reports = check_dataset(DATASETS.build(node), FRAMES_LOOKED_AT, limits, voxels, in_grid)
    except DataError as error:
        lines = str(error).splitlines()
        return [Finding(BAD, 'frames', f'{loader}: ' + '\n      '.join(lines), lines[-1])]
    remarks = dict.fromkeys(remark for report in reports for remark in report.remarks)
    findings += [Finding(WATCH, 'frames', f'{ann_file}: {remark}', 'see there') for remark in remarks]
    return findings + _judge_projection(reports, ann_file)


def _check_calibration(dataset: Any, ann_file: str, pictures: Optional[str]) -> List[Finding]:
    """Camera matrices of a few frames against geometry and images; draws the first frame if ``pictures`` is given."""
    rig, look = calibration.Rig(), 'tools/doctor.py --pictures DIR draws the points on the images'
    for index in np.unique(np.linspace(0, len(dataset) - 1, CALIBRATION_FRAMES).round().astype(int)):
        info = dataset.get_data_info(int(index))
        if not info.get('images'):
            return []
        points = _points(info['lidar_points'])
        unusable = images.check_images(info['images'], ann_file)
        if unusable:  # they say nothing about a calibration
            return unusable
        calibration.add_frame(rig, points, info['images'])
        if pictures and index == 0:
            look = f'look at {_draw(points, info["images"], ann_file, pictures)}'
    return calibration.judge(rig, ann_file, look)


def _draw(points: Array, images: Dict[str, Any], ann_file: str, folder: str) -> str:
    """The file with the points on the images of one frame."""
    from PIL import Image

    from projects.CLAP.clap.visualization import draw
    from projects.CLAP.clap.visualization.lidar_on_images import picture_of, project

    drawn = []
    for name, view in images.items():
        with Image.open(view['img_path']) as image:
            rgb = np.asarray(image.convert('RGB').reduce(max(1, image.width // 800)))
            scale = np.diag([rgb.shape[1] / image.width, rgb.shape[0] / image.height, 1.0])
        drawn.append(
            project(
                points,
                scale @ np.asarray(view['cam2img'], dtype=float)[:3, :3],
                np.asarray(view['lidar2cam'], dtype=float),
                rgb,
                name,
            )
        )
    path = Path(folder) / f'{Path(ann_file).stem}_lidar_on_images.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(picture_of(drawn, ann_file)).savefig(path, dpi=110)
    return str(path)


def _points(lidar: Dict[str, Any]) -> Array:
    """Rows (N, F) of a point file, as far as they can be points; ``DataError`` with the likely cause else."""
    from projects.CLAP.clap.datasets.plausible import cloud_problem, missing
    from projects.CLAP.clap.datasets.transforms.loading import read_points
    from projects.CLAP.clap.errors import DataError

    rows = read_points(lidar['lidar_path'], lidar['num_pts_feats'])
    points: Array = rows[np.isfinite(rows).all(axis=1) & ~missing(rows[:, :3])]  # which loaders refuse, or drop if told
    problem = cloud_problem(points)
    if problem:
        raise DataError(f'{lidar["lidar_path"]} {problem}')
    return points


def _packs_keyframes(node: Any) -> bool:
    """The frames of a pre-training pipeline can be looked at one by one; a detector's pack other things."""
    from projects.CLAP.clap.datasets.clap_dataset import steps_of

    return any(isinstance(s, dict) and 'CLAPPack' in str(s.get('type')) for s in steps_of(node.get('pipeline', [])))


def _point_cloud_range(cfg: Any) -> Optional[List[float]]:
    found: Optional[List[float]] = (cfg.model.get('voxelize_cfg') or {}).get('point_cloud_range')
    return found or cfg.get('point_cloud_range')


def _judge_range(clouds: List[Array], limits: Sequence[float], ann_file: str) -> Finding:
    low, high = np.array(limits[:3]), np.array(limits[3:])
    points = np.concatenate([cloud[:, :3] for cloud in clouds])
    share = np.count_nonzero(((points >= low) & (points < high)).all(axis=1)) / max(len(points), 1)
    about = f'{ann_file}: {share:.0%} of the points lie inside point_cloud_range'
    if share < 0.3:
        return Finding(
            WATCH,
            'range',
            about,
            'widen point_cloud_range, or check that the points are metres in the LiDAR frame',
        )
    return Finding(GOOD, 'range', about)


def _judge_projection(reports: Sequence[Any], ann_file: str) -> List[Finding]:
    shares: Dict[str, List[float]] = {}
    for report in reports:
        for name, share in report.visible.items():
            shares.setdefault(name, []).append(share)
    means = {name: float(np.mean(values)) for name, values in shares.items()}
    if not means:
        return []
    text = f'{ann_file}: share of the LiDAR points in each image: ' + ', '.join(
        f'{name} {share:.2f}' for name, share in means.items()
    )
    blind = [name for name, share in means.items() if share < 0.005]
    if blind:
        return [
            Finding(
                WATCH,
                'projection',
                text,
                f'{", ".join(blind)} see hardly a point: check lidar2cam and '
                'cam2img of them in the info file, or leave them out with `cameras` of the data set',
            )
        ]
    return [Finding(GOOD, 'projection', f'{text} (a wrong calibration can look so too: see calibration)')]


def _raw_frames(dataset: Any, ann_file: str, data_root: Optional[str]) -> Iterator[Tuple[Array, Array, Array]]:
    """Points, boxes and expected numbers of points of a few frames, as the files hold them."""
    from projects.CLAP.clap.datasets.info_file import read_info_file

    raw = {
        frame.get('token', index): frame for index, frame in enumerate(read_info_file(ann_file, data_root)['data_list'])
    }
    for index in np.unique(np.linspace(0, len(dataset) - 1, FRAMES_LOOKED_AT).round().astype(int)):
        info = dataset.get_data_info(int(index))
        points = _points(info['lidar_points'])
        if len(points) == 0:
            continue
        boxes = [box for box in raw.get(info.get('token', int(index)), {}).get('instances', []) if 'bbox_3d' in box]
        array = np.array([box['bbox_3d'][:7] for box in boxes], dtype=np.float64).reshape(-1, 7)
        expected = np.array([box.get('num_lidar_pts', -1) for box in boxes], dtype=int)
        yield points, array, expected


def _stale(dataset: Any, ann_file: str) -> List[Finding]:
    """Point files that are newer than the info file that describes them."""
    path = dataset.get_data_info(0)['lidar_points']['lidar_path']
    if os.stat(path).st_mtime > os.stat(ann_file).st_mtime + 3600:
        return [
            Finding(
                WATCH,
                'info file',
                f'{ann_file} is older than {path}',
                'if the data were converted again after '
                f'it: {_make_again(ann_file)}; if they were only copied: touch {ann_file}',
            )
        ]
    return []
