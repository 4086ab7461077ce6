"""PandaSet (native folder layout) -> mmdet3d 1.4 info files.

``convert(root, out)`` writes, for every sequence below ``root``:

    OUT/lidar/SEQ_FF.bin            float32 x, y, z, intensity (0..255), dt of the spinning Pandar64 (d == 0)
    OUT/lidar/SEQ_FF.origins.bin    float32 x, y, z: where the sensor was when it measured each of those points
    OUT/lidar/SEQ_FF.forward.bin    the forward PandarGT (d == 1), same columns as the first; for the encoder only
    OUT/lidar/SEQ_FF.semantic.bin   uint8 class of each point of the first file, where recorded; for evaluation
    OUT/pandaset_infos_{train,val,all}.pkl

**LiDAR frame**: origin at the Pandar64's optical centre at the frame's time stamp, which is the end of the sweep, axes
of PandaSet's pose frame: x right, y forward, z up, as in nuScenes. The optical centre is 0.804 m ahead of and 1.860 m
above PandaSet's pose; pandaset_origin.py says how that was found. ``dt`` is the point's age in seconds (0 newest).
The sensor moves during the 0.1 s sweep (0.47 m at 4.7 m/s), and seen from one fixed point the cones of the lasers blur,
so an origin is written for every point. **Ego frame** of ``lidar2ego`` and ``ego2global``: PandaSet's pose frame.

**Split**: with five sequences or more, every fifth (in name order) is 'val'; with fewer, the last 15 % of each
sequence's frames. 'all' holds everything.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np
import pandas as pd
from mmengine.logging import print_log
from PIL import Image

from ...errors import DataError
from ...files.atomic_file import write_atomic
from .conversion import damage, left_out
from .frame_files import earlier_sweeps, stored_path
from .pandaset_boxes import CLASSES, collect_tracks, make_instances
from .pandaset_origin import OPTICAL_CENTRE_M, sensor_positions
from .pandaset_reader import Sequence, find_sequences
from .pandaset_semantics import SEMANTIC_CLASSES

NUM_FEATURES = 5
LIDAR_FOLDER = 'lidar'


def convert(root: Path, out: Path, damaged: Optional[Dict[str, str]] = None) -> List[Path]:
    """Converts every sequence below ``root``.

    Args:
        root: folder of the sequences.
        out: folder for all that is written.
        damaged: gets name -> what is wrong of every sequence that is left out, the others stay in their splits; without
            it a damaged sequence is an error.

    Returns:
        The info files written (train, val, all).
    """
    root, out = Path(root), Path(out)
    sequences = find_sequences(root, damaged)
    (out / LIDAR_FOLDER).mkdir(parents=True, exist_ok=True)
    splits: Dict[str, List[dict]] = {'train': [], 'val': [], 'all': []}
    for index, sequence in enumerate(sequences):
        if sequence is None:
            continue
        try:
            infos = _convert_sequence(sequence, root, out)
        except Exception as error:
            if damaged is None:
                raise
            damaged[sequence.name] = damage(error, sequence.name)
            continue
        first_val = _first_val_frame(index, len(sequences), len(infos))
        splits['all'] += infos
        splits['train'] += infos[:first_val]
        splits['val'] += infos[first_val:]
        print_log(f'PandaSet {sequence.name}: {len(infos)} frames ({index + 1} of {len(sequences)})', 'current')
    left_out(damaged or {}, len(sequences), 'skip')
    return [_write_infos(infos, out / f'pandaset_infos_{split}.pkl') for split, infos in splits.items()]


def _first_val_frame(index: int, num_sequences: int, num_frames: int) -> int:
    if num_sequences >= 5:
        return 0 if index % 5 == 4 else num_frames
    return num_frames - (max(1, round(0.15 * num_frames)) if num_frames > 1 else 0)


def lidar_to_ego() -> np.ndarray:
    """(4, 4) LiDAR frame -> PandaSet's pose frame."""
    matrix = np.eye(4)
    matrix[:3, 3] = OPTICAL_CENTRE_M
    return matrix


def _convert_sequence(sequence: Sequence, root: Path, out: Path) -> List[dict]:
    times = {frame: float(sequence.lidar.times[int(frame)]) for frame in sequence.frames}
    cuboids = {frame: sequence.cuboids(frame) for frame in sequence.frames}
    tracks = collect_tracks({times[frame]: table for frame, table in cuboids.items() if table is not None})
    infos: List[dict] = []
    for frame in sequence.frames:
        lidar2world = sequence.lidar.to_world[int(frame)] @ lidar_to_ego()
        points, path, semantic_path = _write_sweep(sequence, frame, lidar2world, out)
        table = cuboids[frame]
        info = dict(
            token=f'{sequence.name}_{frame}',
            sequence=sequence.name,
            timestamp=times[frame],
            ego2global=sequence.lidar.to_world[int(frame)].tolist(),
            lidar_points=dict(
                num_pts_feats=NUM_FEATURES,
                lidar_path=path,
                lidar2ego=lidar_to_ego().tolist(),
                origins_path=path.replace('.bin', '.origins.bin'),
                extra_lidar_path=path.replace('.bin', '.forward.bin'),
            ),
            images={name: _camera_info(sequence, name, frame, lidar2world, root, out) for name in sequence.cameras},
            instances=[]
            if table is None
            else make_instances(table, np.linalg.inv(lidar2world), points, tracks, times[frame]),
        )
        if semantic_path is not None:
            info['lidar_points']['semantic_path'] = semantic_path
        info['lidar_sweeps'] = earlier_sweeps(info, infos)
        infos.append(info)
    return infos


def _write_sweep(
    sequence: Sequence, frame: str, lidar2world: np.ndarray, out: Path
) -> Tuple[np.ndarray, str, Optional[str]]:
    """Writes the point files of a frame; returns the Pandar64's points (N, 5), their file and that of their classes."""
    table = sequence.points(frame)
    semantics = sequence.semantics(frame, len(table))
    if semantics is not None:
        table = table.assign(semantic=semantics)
    finite = np.isfinite(table[['x', 'y', 'z', 'i', 't']].to_numpy(dtype=np.float64)).all(axis=1)
    if not finite.all():
        dropped = np.count_nonzero(~finite)
        print_log(f'{sequence.name} frame {frame}: {dropped} points with NaN or Inf dropped', 'current')
    table = table[finite]
    spinning, forward = table[table['d'] == 0], table[table['d'] == 1]
    if len(spinning) == 0:
        raise DataError(
            f'{sequence.folder}/lidar frame {frame}: no point of the spinning LiDAR (d == 0); '
            'download the file again or remove it (gaps are fine)'
        )
    reference_time = float(sequence.lidar.times[int(frame)])
    points = _point_features(spinning, lidar2world, reference_time)
    origins = _to_frame(sensor_positions(spinning['t'].to_numpy(), sequence.lidar), lidar2world).astype(np.float32)
    name = f'{sequence.name}_{frame}.bin'
    folder = out / LIDAR_FOLDER
    points.tofile(folder / name)
    origins.tofile(folder / name.replace('.bin', '.origins.bin'))
    _point_features(forward, lidar2world, reference_time).tofile(folder / name.replace('.bin', '.forward.bin'))
    if semantics is None:
        return points, name, None
    semantic_name = name.replace('.bin', '.semantic.bin')
    spinning['semantic'].to_numpy(dtype=np.uint8).tofile(folder / semantic_name)
    return points, name, semantic_name


def _point_features(table: pd.DataFrame, lidar2world: np.ndarray, reference_time: float) -> np.ndarray:
    xyz = _to_frame(table[['x', 'y', 'z']].to_numpy(), lidar2world)
    return np.column_stack([xyz, table['i'], reference_time - table['t']]).astype(np.float32)


def _to_frame(world: np.ndarray, frame2world: np.ndarray) -> np.ndarray:
    return (world - frame2world[:3, 3]) @ frame2world[:3, :3]


def _camera_info(sequence: Sequence, name: str, frame: str, lidar2world: np.ndarray, root: Path, out: Path) -> dict:
    camera = sequence.cameras[name]
    camera2world = camera.trajectory.to_world[int(frame)]
    ego2world = sequence.lidar.to_world[int(frame)]
    path = camera.image(frame)
    with Image.open(path) as image:
        width, height = image.size
    return dict(
        img_path=stored_path(path, root, out),
        cam2img=camera.cam2img.tolist(),
        lidar2cam=(np.linalg.inv(camera2world) @ lidar2world).tolist(),
        cam2ego=(np.linalg.inv(ego2world) @ camera2world).tolist(),
        timestamp=float(camera.trajectory.times[int(frame)]),
        height=height,
        width=width,
    )


def _write_infos(infos: List[dict], path: Path) -> Path:
    """Writes one info file, whole or not at all."""
    metainfo = dict(
        dataset='pandaset',
        version='1.0',
        info_version='1.1',
        categories={name: index for index, name in enumerate(CLASSES)},
        semantic_classes=SEMANTIC_CLASSES,
    )
    data_list = [dict(info, sample_idx=index) for index, info in enumerate(infos)]
    write_atomic(path, pickle.dumps(dict(metainfo=metainfo, data_list=data_list), protocol=4))
    return path
