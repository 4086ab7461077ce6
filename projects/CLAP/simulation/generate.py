"""Generates a whole dataset: scenes one by one (or in parallel), then the merged tables and the info files."""

from __future__ import annotations

import json
import os
import shutil
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import MISSING, asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Callable

from . import annotate, render
from .lidar import MAX_RANGE_M, MIN_RANGE_M, take_sweep
from .noise import stream
from .nuscenes_tables import SCENE_TABLES, VERSION, fixed_tables
from .nuscenes_writer import SceneWriter, dump_json
from .scene import SWEEPS_PER_KEYFRAME, build_scene
from .semantics import point_classes
from .sensors import CAMERA_NAMES, LIDAR_NAME, make_rig, pose_matrix

FORMAT = 2  # raise when the same arguments start to give other bytes
STAMP, PARTIAL = '.clap_sim.json', '.partial'


@dataclass(frozen=True)
class SimConfig:
    """Everything the bytes of a dataset depend on."""

    scenes: int
    frames: int
    seed: int = 0
    val_fraction: float = 0.25
    image_width: int = 400
    azimuth_steps: int = 1090
    supersample: int = 2
    lidar_range: float = MAX_RANGE_M

    def __post_init__(self) -> None:
        checks = (
            (self.scenes >= 1, f'--scenes must be at least 1, got {self.scenes}'),
            (self.frames >= 1, f'--frames (keyframes per scene, 2 per second) must be at least 1, got {self.frames}'),
            (0 <= self.val_fraction <= 1, f'--val-fraction must lie in 0..1, got {self.val_fraction}'),
            (
                self.image_width >= 64 and self.image_width % 16 == 0,
                f'--image-width must be a multiple of 16 and at least 64, got {self.image_width}',
            ),
            (self.azimuth_steps >= 36, f'--azimuth-steps must be at least 36, got {self.azimuth_steps}'),
            (self.supersample in (1, 2, 3), f'--supersample must be 1, 2 or 3, got {self.supersample}'),
            (
                MIN_RANGE_M < self.lidar_range <= MAX_RANGE_M,
                f'--lidar-range must be above {MIN_RANGE_M:g} and at most {MAX_RANGE_M:g} m, got {self.lidar_range:g}',
            ),
        )
        for fine, message in checks:
            if not fine:
                raise ValueError(message)

    def scene_names(self) -> tuple[list[str], list[str]]:
        """Names for the train and validation scenes, taken in order from the devkit's official splits."""
        from nuscenes.utils import splits

        num_val = round(self.scenes * self.val_fraction)
        if self.scenes >= 2 and 0 < self.val_fraction < 1:
            num_val = min(max(num_val, 1), self.scenes - 1)
        num_train = self.scenes - num_val
        train, val = sorted(splits.train), sorted(splits.val)
        if num_train > len(train) or num_val > len(val):
            raise ValueError(
                f'the official splits have {len(train)} train and {len(val)} val scene names, but '
                f'{num_train} and {num_val} are wanted: lower --scenes or change --val-fraction'
            )
        return train[:num_train], val[:num_val]


def generate(out: Path, config: SimConfig, jobs: int = 1, report: Callable[[str], None] = print) -> dict:
    """Write the dataset below ``out``; returns its figures. A finished folder of the same arguments is left alone."""
    train, val = config.scene_names()
    names = train + val
    begun = time.monotonic()
    figures = {
        'out': str(out),
        'scenes_train': len(train),
        'scenes_val': len(val),
        'samples': config.frames * len(names),
        'sweeps': ((config.frames - 1) * SWEEPS_PER_KEYFRAME + 1) * len(names),
    }
    if _prepare(out, config):
        report(f'[sim] {out} already holds this dataset (same arguments): nothing to do')
        return {**figures, 'made': 0, 'seconds': 0.0}
    partial = out / PARTIAL
    todo = [n for n in names if not (partial / f'{n}.json').exists()]
    if len(todo) < len(names):
        report(f'[sim] resuming: {len(names) - len(todo)} of {len(names)} scenes are there already')
    _run_scenes(out, config, todo, len(names), jobs, report)
    _merge(out, names, partial)
    report('[sim] tables written; now the info files, by mmdetection3d\'s nuScenes converter')
    from projects.CLAP.clap.datasets.converters.nuscenes import write_nuscenes_infos

    infos = write_nuscenes_infos(out, out, VERSION, prefix='sim')
    dump_json(out / STAMP, {'format': FORMAT, 'arguments': asdict(config), 'finished': True})
    shutil.rmtree(partial)
    size = sum(f.stat().st_size for f in out.rglob('*') if f.is_file())
    return {
        **figures,
        'made': len(todo),
        'seconds': round(time.monotonic() - begun, 1),
        'megabytes': round(size / 1e6, 1),
        'infos': [str(p) for p in infos],
    }


def _prepare(out: Path, config: SimConfig) -> bool:
    """Check or create the output folder; True when it is finished already."""
    stamp, state = out / STAMP, {'format': FORMAT, 'arguments': asdict(config), 'finished': False}
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f'--out {out} is a file; give a folder')
    if stamp.exists():
        found = json.loads(stamp.read_text())
        # A folder made before an argument was invented has its default.
        if found.get('format') != FORMAT or {**_defaults(), **found.get('arguments', {})} != state['arguments']:
            raise ValueError(
                f'{out} holds a simulated dataset of other arguments ({found.get("arguments")}, format '
                f'{found.get("format")}; wanted {state["arguments"]}, format {FORMAT}): '
                'choose another --out or delete the folder'
            )
        if found['finished']:
            return True
    elif out.exists() and any(out.iterdir()):
        raise ValueError(f'{out} is not empty and was not made by this command: choose another --out or empty it')
    try:
        folders = ['maps', PARTIAL, f'lidarseg/{VERSION}', f'sweeps/{LIDAR_NAME}']
        for folder in folders + [f'samples/{sensor}' for sensor in (LIDAR_NAME, *CAMERA_NAMES)]:
            (out / folder).mkdir(parents=True, exist_ok=True)
        dump_json(stamp, state)
    except OSError as error:
        raise PermissionError(
            f'cannot write to --out {out}: {error.strerror}; choose a folder you may write to'
        ) from error
    return False


def _defaults() -> dict:
    return {field.name: field.default for field in fields(SimConfig) if field.default is not MISSING}


def _run_scenes(
    out: Path, config: SimConfig, todo: list[str], total: int, jobs: int, report: Callable[[str], None]
) -> None:
    done, begun = total - len(todo), time.monotonic()

    def progress(name: str, seconds: float) -> None:
        nonlocal done
        done += 1
        made = done - (total - len(todo))
        left = (time.monotonic() - begun) / made * (len(todo) - made)
        report(f'[sim] scene {done} of {total} ({name}): {seconds:.0f} s; about {left:.0f} s left')

    if jobs <= 1 or len(todo) <= 1:
        for name in todo:
            progress(name, run_scene(out, config, name, report))
        return
    with ProcessPoolExecutor(min(jobs, len(todo)), mp_context=get_context('spawn')) as pool:
        pending = {pool.submit(run_scene, out, config, name): name for name in todo}
        for future in as_completed(pending):
            progress(pending[future], future.result())


def run_scene(out: Path, config: SimConfig, name: str, report: Callable[[str], None] | None = None) -> float:
    """Simulate and write one scene; its records go to ``.partial/<name>.json`` last. Returns the seconds it took."""
    begun = spoken = time.monotonic()
    seed = config.seed
    scene = build_scene(seed, name, config.frames)
    rig = make_rig(stream(seed, name, 'rig'), config.image_width)
    light = render.make_light(stream(seed, name, 'light'))
    writer = SceneWriter(out, seed, name, scene, rig)
    for step in range(scene.steps):
        world, ego_to_world = scene.world(step), pose_matrix(*scene.ego_pose(step))
        sweep = take_sweep(
            world,
            scene.layout,
            ego_to_world @ rig.lidar_to_ego,
            config.azimuth_steps,
            stream(seed, name, 'sweep', step),
            config.lidar_range,
        )
        keyframe = step // SWEEPS_PER_KEYFRAME if step % SWEEPS_PER_KEYFRAME == 0 else None
        writer.add_sweep(step, sweep.points, keyframe)
        if keyframe is None:
            continue
        categories = [actor.category for actor in scene.actors]
        writer.add_classes(step, point_classes(sweep, scene.layout, ego_to_world @ rig.lidar_to_ego, categories))
        writer.add_labels(annotate.label_keyframe(scene, world, rig, ego_to_world, sweep, step))
        for camera in rig.cameras:
            image = render.render(
                world,
                scene.layout,
                light,
                camera,
                ego_to_world @ camera.to_ego,
                stream(seed, name, camera.name, step),
                config.supersample,
            )
            writer.add_image(step, camera.name, image, keyframe)
        if report is not None and time.monotonic() - spoken > 15:
            spoken = time.monotonic()
            report(f'[sim] {name}: keyframe {keyframe + 1} of {config.frames}')
    tables = writer.finish(f'simulated street scene, seed {seed}')
    dump_json(out / PARTIAL / f'{name}.json', tables)
    return time.monotonic() - begun


def _merge(out: Path, names: list[str], partial: Path) -> None:
    """Concatenate the scenes' records, in the order of ``names``, into the official tables."""
    tables = {**fixed_tables(), **{t: [] for t in SCENE_TABLES}}
    for name in names:
        for table, records in json.loads((partial / f'{name}.json').read_text()).items():
            tables[table] += records
    folder, staged = out / VERSION, partial / VERSION
    staged.mkdir(exist_ok=True)
    for table, records in tables.items():
        dump_json(staged / f'{table}.json', records)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(staged, folder)
