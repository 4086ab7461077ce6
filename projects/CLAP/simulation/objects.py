"""Single objects: meshes of the simulator in the layout of ModelNet40, turned at random, with images from around."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Callable, Dict, List

import numpy as np

from . import people, scenery, vehicles
from .mesh import Mesh
from .noise import stream
from .nuscenes_writer import write_atomically
from .raycast import StaticWorld, World
from .render import make_light, render
from .sensors import Camera, transform

#: Kinds that differ in form; each builder draws one object.
CLASSES: Dict[str, Callable[[np.random.Generator], Mesh]] = dict(
    barrier=lambda rng: scenery.barrier(rng, int(rng.integers(3))),
    bench=scenery.bench,
    bicycle=lambda rng: people.bicycle(rng, rider=False),
    bin=scenery.bin_,
    bus=vehicles.bus,
    bus_shelter=scenery.bus_shelter,
    bush=scenery.bush,
    car=vehicles.car,
    cone=scenery.cone,
    construction_vehicle=vehicles.construction_vehicle,
    cyclist=lambda rng: people.bicycle(rng, rider=True),
    lamp_post=scenery.lamp_post,
    motorcycle=lambda rng: people.motorcycle(rng, rider=False),
    pedestrian=lambda rng: people.pedestrian(rng)[int(rng.integers(4))],
    pickup=vehicles.pickup,
    sign=scenery.sign,
    traffic_light=scenery.traffic_light,
    trailer=vehicles.trailer,
    tree=scenery.tree,
    truck=vehicles.truck,
)
LIST = 'objects.txt'
#: From where an object in the unit sphere is seen: radii from its centre, degrees above the horizon.
DISTANCE, ELEVATION = 2.5, 25.0


def in_unit_sphere(mesh: Mesh) -> Mesh:
    """The mesh about the middle of its bounds, its farthest vertex at distance 1."""
    centred = mesh.moved(-mesh.bounds.mean(axis=0))
    return centred.scaled(np.full(3, 1 / np.linalg.norm(centred.vertices, axis=1).max()))


def cameras_around(count: int, size: int) -> List[Camera]:
    """``count`` cameras in a ring that look at the origin; the unit sphere fills their images of size x size pixels."""
    focal = size / 2 * np.sqrt(DISTANCE**2 - 1)  # the sphere touches the borders
    intrinsic = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
    result = []
    for number in range(count):
        azimuth, elevation = 2 * np.pi * number / count, np.radians(ELEVATION)
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        outward = np.cos(elevation) * np.array([right[1], -right[0], np.tan(elevation)])
        rotation = np.stack([right, np.cross(-outward, right), -outward], axis=1)  # camera x right, y down, z forward
        result.append(Camera(f'view_{number}', transform(rotation, DISTANCE * outward), intrinsic, size, size))
    return result


def render_views(mesh: Mesh, cameras: List[Camera], rng: np.random.Generator) -> np.ndarray:
    """(V, H, W, 3) uint8 images of a mesh under one sun, the same for all objects."""
    world = World(StaticWorld(mesh, np.zeros(len(mesh.faces))), None, None)
    light = make_light(stream('objects', 'light'))
    return np.stack([render(world, None, light, camera, camera.to_ego, rng) for camera in cameras])


def off_text(mesh: Mesh) -> str:
    """The mesh's form in the Object File Format."""
    lines = ['OFF', f'{len(mesh.vertices)} {len(mesh.faces)} 0']
    lines += [f'{x:.6f} {y:.6f} {z:.6f}' for x, y, z in mesh.vertices]
    lines += [f'3 {a} {b} {c}' for a, b, c in mesh.faces]
    return '\n'.join(lines) + '\n'


def write_objects(
    out: Path,
    train: int,
    test: int,
    seed: int = 0,
    views: int = 8,
    size: int = 64,
    report: Callable[[str], None] = print,
) -> Dict[str, int]:
    """``out/CLASS/{train,test}/CLASS_0001.off``, and beside each ``.npz`` with its views; goes on where it stopped.

    Last comes ``out/objects.txt``, a line per object with checksums: the same file means the same objects.

    An ``.npz`` holds ``images`` (V, H, W, 3) uint8, ``cam2img`` (V, 4, 4) and ``world2cam`` (V, 4, 4) in the frame and
    unit of the OFF file.

    Args:
        out: new folder, or one to resume.
        train, test: objects per class.
        seed: of the objects; one of them depends on its seed, class and number alone.
        views: cameras around each object.
        size: of the images, pixels.
        report: is told of every class.
    """
    if min(train, test, views) < 1 or size < 8:
        raise ValueError(f'expected at least 1 object and view, and 8 pixels; got {train}, {test}, {views} and {size}')
    cameras = cameras_around(views, size)
    cam2img = np.stack([transform(camera.intrinsic, np.zeros(3)) for camera in cameras])
    world2cam = np.stack([np.linalg.inv(camera.to_ego) for camera in cameras])
    listed = []
    for name, build in CLASSES.items():
        for number in range(train + test):
            folder = Path(out) / name / ('train' if number < train else 'test')
            path = folder / f'{name}_{number + 1:04d}.off'
            listed.append(path)
            if path.exists():
                continue
            rng = stream(seed, 'object', name, number)
            mesh = in_unit_sphere(build(rng).moved(yaw=rng.uniform(0, 2 * np.pi)))
            packed = io.BytesIO()
            images = render_views(mesh, cameras, rng)
            np.savez_compressed(packed, images=images, cam2img=cam2img, world2cam=world2cam)
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path.with_suffix('.npz'), packed.getvalue())
            write_atomically(path, off_text(mesh).encode())
        report(f'{name}: {train + test} objects')
    sums = [hashlib.sha256(p.read_bytes() + p.with_suffix('.npz').read_bytes()).hexdigest()[:16] for p in listed]
    lines = [f'{path.relative_to(out)} {own}\n' for path, own in zip(listed, sums)]
    write_atomically(Path(out) / LIST, ''.join(lines).encode())
    return dict(classes=len(CLASSES), train=train * len(CLASSES), test=test * len(CLASSES), views=views)
