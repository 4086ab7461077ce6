"""The 3-D recording, read back with the library that the viewer uses."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
import torch

from projects.CLAP.clap.functional import project_points
from projects.CLAP.clap.pretrain.pictures import photos
from projects.CLAP.clap.visualization.colours import to_rgba
from projects.CLAP.clap.visualization.view3d import (
    Recording,
    ViewerNotInstalledError,
    import_rerun,
    pinhole_of,
)
from tests.fixtures.tiny import batch, build, calibration


@pytest.fixture(scope='module')
def frame() -> tuple:
    """Clouds of the tiny model, images and calibration of the street."""
    model = build().eval()
    data = model.data_preprocessor(batch(1), training=False)
    meta = data['data_samples'][0].metainfo
    return model.clouds(data), photos(model.views(data['inputs'], [meta])[0], meta), meta


def read(path: Path) -> dict:
    """Component columns of a recording: ``/entity:Component`` -> list over frames of Python values."""
    rerun = pytest.importorskip('rerun.dataframe', reason='pip install -r requirements/viewer.txt')
    table = rerun.load_recording(path).view(index='frame', contents='/**').select().read_all()
    return {name: table[name].to_pylist() for name in table.column_names}


def test_a_recording_opens_elsewhere_with_everything_in_it(frame: tuple, tmp_path: Path) -> None:
    pytest.importorskip('rerun', reason='pip install -r requirements/viewer.txt')
    clouds, images, meta = frame
    boxes = np.array([[7.0, 0.0, -1.0, 4.0, 2.0, 1.5, np.pi / 2], [0.0, 5.0, -1.0, 1.0, 1.0, 2.0, 0.0]])
    recording = Recording(tmp_path / 'sub' / 'scene.rrd')
    recording.add(0, clouds, images, meta, boxes, ['car', 'pedestrian'])
    recording.add(1, clouds, images, meta, np.zeros((0, 7)), [])
    recording.close()
    table = read(tmp_path / 'sub' / 'scene.rrd')
    assert sorted(clouds) == ['curvature', 'prototype', 'prototype_camera', 'range_error', 'rendered']
    for name, cloud in clouds.items():
        for time in (0, 1):
            np.testing.assert_array_equal(
                np.array(table[f'/world/{name}:Position3D'][time], np.float32), cloud.points.astype(np.float32)
            )
        rgba = np.array(table[f'/world/{name}:Color'][0], np.uint32)
        colours = np.round(255 * to_rgba(cloud.shown)[:, :3])
        np.testing.assert_array_equal(np.stack([rgba >> 24, rgba >> 16 & 255, rgba >> 8 & 255], 1), colours)
    for image in images:
        path = f'/world/cameras/{image.title}'
        assert table[f'{path}:Resolution'][0] == [[128.0, 64.0]]
        jpeg = bytes(table[f'{path}:Blob'][0][0])
        assert jpeg[:2] == b'\xff\xd8' and len(jpeg) > 500
    np.testing.assert_allclose(table['/world/boxes:PoseTranslation3D'][0], boxes[:, :3], atol=1e-6)
    np.testing.assert_allclose(table['/world/boxes:HalfSize3D'][0], boxes[:, 3:6] / 2)
    assert table['/world/boxes:Text'][0] == ['car', 'pedestrian']
    assert not table['/world/boxes:HalfSize3D'][1], 'a frame without boxes shows none of the frame before'


def test_cameras_of_the_scene_see_what_the_model_projects() -> None:
    """Pinhole and pose against the functional projection, with a resized, cropped image and a turned cloud."""
    meta = calibration()
    aug = np.diag([0.5, 0.5, 1.0, 1.0])
    aug[:2, 3] = (3.0, -7.0)
    turn = np.eye(4)
    turn[:2, :2], turn[:3, 3] = [[0, -1], [1, 0]], (1.0, 2.0, 0.5)
    meta.update(img_aug_matrix=[aug] * 2, lidar_aug_matrix=turn)
    points = np.random.default_rng(0).uniform(-10, 10, (50, 3))

    def tensor(value) -> torch.Tensor:
        return torch.as_tensor(np.asarray(value), dtype=torch.float64)

    expected = project_points(
        tensor(points), tensor(meta['lidar2img']), tensor(np.stack(meta['img_aug_matrix'])), tensor(turn), (64, 128)
    )
    for index in range(2):
        intrinsics, pose = pinhole_of(meta, index)
        seen = (np.linalg.inv(pose) @ np.c_[points, np.ones(50)].T)[:3]
        uv = (intrinsics @ (seen / seen[2]))[:2].T
        front = expected.depth_m[index].numpy() > 0.1
        assert front.any()
        np.testing.assert_allclose(uv[front], expected.uv[index].numpy()[front], atol=1e-3)


def test_without_the_library_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    own = builtins.__import__

    def refuse(name: str, *args, **kwargs):
        if name == 'rerun':
            raise ModuleNotFoundError("No module named 'rerun'")
        return own(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(ViewerNotInstalledError, match='requirements/viewer.txt'):
        import_rerun()
