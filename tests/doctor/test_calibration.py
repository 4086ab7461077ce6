"""Usual mistakes in ``lidar2cam`` and ``cam2img`` are found and named; right matrices raise no alarm."""

from __future__ import annotations

import pickle
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import numpy as np
import pytest
from PIL import Image

from projects.CLAP.clap.datasets.converters.kitti_raw import convert
from projects.CLAP.doctor import BAD, GOOD, WATCH, Finding, mistakes
from projects.CLAP.doctor import calibration as calib
from projects.CLAP.doctor.edges import SHIFTS, Agreement
from projects.CLAP.doctor.images import TURNED, check_images

HEADINGS = dict(front=90, left=150, right=30, back=-90)  # degrees from the LiDAR's x axis; y is ahead
WIDTH, HEIGHT, FOCAL = 480, 270, 300.0
CAM2IMG = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])


def upright(heading: float) -> np.ndarray:
    """lidar2cam of a level camera a little in front of and below the LiDAR."""
    angle = np.radians(heading)
    ahead = np.array([np.cos(angle), np.sin(angle), 0])
    matrix = np.eye(4)
    matrix[:3, :3] = [[ahead[1], -ahead[0], 0], [0, 0, -1], ahead]
    matrix[:3, 3] = -matrix[:3, :3] @ (0.6 * ahead - [0, 0, 0.3])
    return matrix


@lru_cache(maxsize=1)
def scene() -> Tuple[np.ndarray, Dict[str, np.ndarray]]:
    """Posts of different widths and heights before a far wall: a sweep (N, 3), and what each camera sees of it."""
    rng = np.random.default_rng(3)
    azimuth, elevation = np.meshgrid(np.radians(np.arange(0, 360, 0.4)), np.radians(np.arange(-14, 10, 0.8)))
    ray = np.stack([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)], -1).reshape(-1, 3)
    distance = np.full(len(ray), 40.0)
    posts = [
        (
            rng.uniform(0, 2 * np.pi),
            rng.uniform(6, 15),
            rng.uniform(0.3, 1.0),
            rng.uniform(-0.5, 2.0),
            rng.integers(40, 220),
        )
        for _ in range(45)
    ]
    for place, far, half, top, _ in posts:
        gap = (np.arctan2(ray[:, 1], ray[:, 0]) - place + np.pi) % (2 * np.pi) - np.pi
        hit = (np.abs(gap) * far < half) & (ray[:, 2] * far < top)
        distance[hit] = np.minimum(distance[hit], far)
    images = {}
    for name, heading in HEADINGS.items():
        image = np.full((HEIGHT, WIDTH), 130, dtype=np.float32) + rng.normal(0, 3, (HEIGHT, WIDTH))
        matrix = upright(heading)
        for place, far, half, top, grey in sorted(posts, key=lambda post: -post[1]):
            corners = (
                np.array(
                    [
                        [far * np.cos(place + side * half / far), far * np.sin(place + side * half / far), z]
                        for side in (-1, 1)
                        for z in (-9.0, top)
                    ]
                )
                @ matrix[:3, :3].T
                + matrix[:3, 3]
            )
            if corners[:, 2].min() < 1:
                continue
            columns = FOCAL * corners[:, 0] / corners[:, 2] + WIDTH / 2
            rows = FOCAL * corners[:, 1] / corners[:, 2] + HEIGHT / 2
            left, right = (int(np.clip(v, 0, WIDTH)) for v in (columns.min(), columns.max()))
            image[int(np.clip(rows.min(), 0, HEIGHT)) :, left:right] = grey
        images[name] = np.clip(image, 0, 255).astype(np.uint8)
    return ray * distance[:, None], images


@pytest.fixture(scope='module')
def photos(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    folder = tmp_path_factory.mktemp('photos')
    for name, image in scene()[1].items():
        Image.fromarray(image).save(folder / f'{name}.png')
    return {name: str(folder / f'{name}.png') for name in HEADINGS}


def findings(
    photos: Dict[str, str],
    change: Callable[[str, np.ndarray], np.ndarray] = lambda name, matrix: matrix,
    cam2img: np.ndarray = CAM2IMG,
) -> List[Finding]:
    rig = calib.Rig()
    calib.add_frame(
        rig,
        scene()[0],
        {
            name: dict(
                img_path=path, cam2img=cam2img.tolist(), lidar2cam=change(name, upright(HEADINGS[name])).tolist()
            )
            for name, path in photos.items()
        },
    )
    return calib.judge(rig, 'mine_infos_train.pkl', 'look at a.png')


def test_right_matrices_raise_no_alarm(photos: Dict[str, str]) -> None:
    (sound,) = findings(photos)
    assert sound.level == GOOD and '4 cameras upright' in sound.verdict and 'agree in 4' in sound.verdict


@pytest.mark.parametrize(
    'change, fix',
    [
        (np.linalg.inv, 'lidar2cam = np.linalg.inv(lidar2cam)'),
        (lambda m: np.diag([1, -1, -1, 1]) @ m, 'lidar2cam = np.diag([1, -1, -1, 1]) @ lidar2cam'),
        (lambda m: mistakes.FLU.T @ m, '[[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]) @ lidar2cam'),
        (lambda m: np.diag([-1, -1, 1, 1]) @ m, 'lidar2cam = np.diag([-1, -1, 1, 1]) @ lidar2cam'),
        (lambda m: np.linalg.inv(np.diag([1, -1, -1, 1]) @ m), 'np.diag([1, -1, -1, 1]) @ np.linalg.inv(lidar2cam)'),
        (lambda m: m @ mistakes.TURNS[-90], 'lidar2cam @ np.array([[0, -1, 0, 0], [1, 0, 0, 0]'),
        (lambda m: m @ mistakes.TURNS[180], 'lidar2cam @ np.diag([-1, -1, 1, 1])'),
        (lambda m: m.T, 'lidar2cam = lidar2cam.T'),
        (lambda m: np.diag([-1, 1, 1, 1]) @ m, 'change the sign of the axis'),
        (lambda m: np.diag([500, 500, 1, 1]) @ m, 'without cam2img'),
    ],
    ids=[
        'inverted',
        'opengl',
        'forward-left-up',
        'left-up-forward',
        'inverted-opengl',
        'turned-90',
        'turned-180',
        'transposed',
        'mirrored',
        'projection',
    ],
)
def test_a_mistake_of_the_whole_rig_is_named_with_its_fix(photos: Dict[str, str], change: Callable, fix: str) -> None:
    found = findings(photos, lambda name, matrix: change(matrix))
    assert found[0].level == BAD and fix in found[0].remedy and 'look at a.png' in found[0].remedy, found
    assert all(name in found[0].verdict for name in HEADINGS)


def test_one_wrong_camera_is_named_alone(photos: Dict[str, str]) -> None:
    (found,) = findings(photos, lambda name, matrix: np.linalg.inv(matrix) if name == 'left' else matrix)
    assert found.level == BAD and ': left: lidar2cam is inverted' in found.verdict

    def millimetres(name: str, matrix: np.ndarray) -> np.ndarray:
        if name == 'right':
            matrix[:3, 3] *= 1000
        return matrix

    (found,) = findings(photos, millimetres)
    assert found.level == BAD and ': right: lidar2cam puts the camera 6' in found.verdict


def test_exchanged_cameras_and_wrong_angles_show_in_the_images(photos: Dict[str, str]) -> None:
    other = dict(left='right', right='left')
    found = findings(photos, lambda name, matrix: upright(HEADINGS[other.get(name, name)]))
    assert [f.level in (WATCH, BAD) for f in found] == [True, True]
    assert {f.verdict.split(': ')[1] for f in found} == {'left', 'right'}
    assert all('fits the calibration of' in f.verdict for f in found)
    (found,) = findings(photos, lambda name, matrix: upright(HEADINGS[name] + 6))
    assert found.level == WATCH and 'edges of the points do not lie on edges of the images' in found.verdict


def test_the_calibration_of_another_image_size(photos: Dict[str, str]) -> None:
    (found,) = findings(photos, cam2img=np.diag([4.0, 4.0, 1.0]) @ CAM2IMG)
    assert found.level == WATCH and '4 times as wide' in found.verdict and 'width now' in found.remedy


def mistaken(image: np.ndarray, label: str) -> np.ndarray:
    """An image that is as ``label`` says: for quarter turns, three times its mending."""
    for _ in range(3 if '90' in label else 1):
        image = TURNED[label][1](image)
    return np.ascontiguousarray(image)


@pytest.mark.parametrize('label', [label for label in TURNED if 'top' not in label])
def test_turned_images_are_not_blamed_on_the_calibration(tmp_path: Path, label: str) -> None:
    """(Posts that reach down to the road look the same upside down, and lying on either side.)"""
    for name in HEADINGS:
        Image.fromarray(mistaken(scene()[1][name], label)).save(tmp_path / f'{name}.png')
    found = findings({name: str(tmp_path / f'{name}.png') for name in HEADINGS})
    assert len(found) == 1 and all(name in found[0].verdict for name in HEADINGS), found
    side = label.split(' to the ')[0]
    assert found[0].level == BAD and side in found[0].verdict and 'lidar2cam' not in found[0].verdict


def test_images_that_show_nothing_are_not_blamed_on_the_calibration(photos: Dict[str, str], tmp_path: Path) -> None:
    views = {name: dict(img_path=path) for name, path in photos.items()}
    assert check_images(views, 'mine') == []
    Image.new('RGB', (480, 270)).save(tmp_path / 'black.png')
    image = Image.open(photos['left'])
    exif = image.getexif()
    exif[274] = 3
    image.save(tmp_path / 'exif.png', exif=exif)
    views.update(front=dict(img_path=str(tmp_path / 'black.png')), left=dict(img_path=str(tmp_path / 'exif.png')))
    black, turned = check_images(views, 'mine')
    assert black.level == BAD and 'front' in black.verdict and 'is black everywhere' in black.verdict
    assert turned.level == WATCH and 'left' in turned.verdict and 'EXIF orientation 3' in turned.verdict


def test_one_camera_of_a_rig_that_agrees_needs_proof(photos: Dict[str, str]) -> None:
    """By chance some mistake fits one of six cameras a little better; that is no reason for a warning."""
    rig = calib.Rig()
    views = {
        name: dict(img_path=path, cam2img=CAM2IMG.tolist(), lidar2cam=upright(HEADINGS[name]).tolist())
        for name, path in photos.items()
    }
    calib.add_frame(rig, scene()[0], views)
    fits = rig.fits['back']
    mistake = next(m for m in calib.MISTAKES if calib._explains(rig.matrices['back'], m))
    fits[calib.GIVEN], fits[mistake] = weak(0.55, 0.01), weak(0.58, 0.05)
    assert fits[mistake].beats(fits[calib.GIVEN]) and not fits[mistake].beats(fits[calib.GIVEN], strongly=True)
    assert [f.level for f in calib.judge(rig, 'sim_infos_val.pkl', '')] == [GOOD]


def weak(here: float, gain: float) -> Agreement:
    """Agreement of 200 points that is ``gain`` above that of the moved points."""
    profile = here - gain + 0.018 * np.sin(np.arange(len(SHIFTS)) * 2.1)
    profile[np.abs(SHIFTS) <= 8] = here
    return Agreement(200 * profile, np.full(len(SHIFTS), 200.0))


def test_three_degrees_about_any_axis_show_in_one_camera_of_a_real_drive(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(real_data / 'kitti_raw', tmp_path)
    frames = pickle.loads((tmp_path / 'kitti_raw_infos_train.pkl').read_bytes())['data_list']
    clouds = [np.fromfile(tmp_path / frames[index]['lidar_points']['lidar_path'], np.float32) for index in (0, 2, 5)]
    rims = [calib.edge_points(cloud.reshape(-1, 5)) for cloud in clouds]  # the slow part, the same for every turn
    monkeypatch.setattr(calib, 'edge_points', lambda rim: rim)

    def judged(turn: np.ndarray) -> Finding:
        rig = calib.Rig()
        for index, rim in zip((0, 2, 5), rims):
            view = frames[index]['images']['image_02']
            calib.add_frame(rig, rim, dict(image_02=dict(view, lidar2cam=turn @ np.array(view['lidar2cam']))))
        return calib.judge(rig, '', '')[0]

    assert judged(np.eye(4)).level == GOOD
    for axis, degrees, told in (
        (0, -3, 'about +3 degrees'),
        (0, 3, 'about -3 degrees'),
        (1, 3, 'move by'),
        (2, -3, '+3'),
    ):
        found = judged(mistakes.tilt(axis, degrees))
        assert found.level == WATCH and told in found.verdict, (axis, degrees, found)


def test_real_frames_raise_no_alarm_and_their_inverses_do(real_data: Path) -> None:
    folder = real_data / 'nuscenes_frame'
    (frame,) = pickle.loads(next(folder.glob('*.pkl')).read_bytes())['data_list']
    points = np.fromfile(next(folder.glob('*.bin')), dtype=np.float32).reshape(-1, 5)
    for change, level in ((np.asarray, GOOD), (np.linalg.inv, BAD), (lambda m: m @ mistakes.TURNS[180], BAD)):
        rig = calib.Rig()
        calib.add_frame(
            rig,
            points,
            {
                name: dict(
                    img_path=str(folder / Path(view['img_path']).name),
                    cam2img=view['cam2img'],
                    lidar2cam=change(np.array(view['lidar2cam'])),
                )
                for name, view in frame['images'].items()
            },
        )
        assert calib.judge(rig, '', '')[0].level == level


def test_a_real_camera_upside_down_is_a_turned_image(real_data: Path, tmp_path: Path) -> None:
    folder, label = real_data / 'nuscenes_frame', 'mirrored (top and bottom exchanged)'
    (frame,) = pickle.loads(next(folder.glob('*.pkl')).read_bytes())['data_list']
    points = np.fromfile(next(folder.glob('*.bin')), dtype=np.float32).reshape(-1, 5)
    rig = calib.Rig()
    for name, view in frame['images'].items():
        image = np.asarray(Image.open(folder / Path(view['img_path']).name))
        Image.fromarray(mistaken(image, label)).save(tmp_path / f'{name}.jpg')
        view['img_path'] = str(tmp_path / f'{name}.jpg')
    calib.add_frame(rig, points, frame['images'])
    (found,) = calib.judge(rig, '', '')
    assert found.level == BAD and f'the image is {label}' in found.verdict
