"""OFF folders: ModelNet40's layout and its quirks, points on the surface, views in the points' frame, bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from projects.CLAP.clap.datasets.objects import CLAPObjectDataset, read_off
from projects.CLAP.clap.errors import ConfigError, DataError, DatasetError
from projects.CLAP.clap.functional import project_points
from tests.fixtures.objects import off, write

#: A triangle of area 2 and one of area 6 in the plane z = 1, far from the origin.
VERTICES = [(100, 50, 1), (102, 50, 1), (100, 52, 1), (106, 50, 1)]
FACES = [(0, 1, 2), (1, 3, 2)]


@pytest.mark.parametrize('header', ['OFF\n', 'OFF', '# made by hand\nOFF\n'])
def test_points_lie_evenly_on_the_surface_in_the_unit_sphere(tmp_path: Path, header: str) -> None:
    if header.startswith('#'):
        with pytest.raises(DataError, match='OFF'):
            read_off(off(tmp_path / 'chair/train/chair_0001.off', VERTICES, FACES, header))
        return
    off(tmp_path / 'chair/train/chair_0001.off', VERTICES, FACES, header)
    data = CLAPObjectDataset(str(tmp_path), num_points=4000, views=False)
    item = data[0]
    points, sample = item['inputs']['points'], item['data_samples']
    assert points.shape == (4000, 3) and points.dtype == torch.float32 and set(item['inputs']) == {'points'}
    assert (sample.class_name, sample.split, sample.path) == ('chair', 'train', 'chair/train/chair_0001.off')
    radius = np.hypot(3, 1)  # half the bounds of 6 x 2
    x, y, z = (points * radius + torch.tensor([103.0, 51.0, 1.0])).unbind(1)
    assert z.sub(1).abs().max() < 1e-4 and points.norm(dim=1).max() <= 1
    inside = (x >= 100 - 1e-3) & (y >= 50 - 1e-3) & ((x - 100) / 6 + (y - 50) / 2 <= 1 + 1e-3)
    assert inside.all()
    small = (x - 100) + (y - 50) <= 2
    assert small.float().mean() == pytest.approx(1 / 3, abs=0.03), 'by area: 2 of 6'
    assert torch.equal(points, CLAPObjectDataset(str(tmp_path), num_points=4000, views=False)[0]['inputs']['points'])


def test_views_see_the_points_where_the_object_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch, size=48)
    data = CLAPObjectDataset(str(tmp_path), 'objects.txt', ('train', 'test'), 200)
    assert len(data) == 6 and data.metainfo['classes'] == ['plate', 'rod']
    for index in (0, 3):
        inputs = data[index]['inputs']
        assert inputs['images'].shape == (3, 3, 48, 48) and inputs['images'].dtype == torch.uint8
        matrices = inputs['cam2img'] @ inputs['world2cam']
        still = torch.eye(4)
        seen = project_points(inputs['points'], matrices, still.expand(3, 4, 4), still, (48, 48))
        assert seen.visible.all(), 'the unit sphere fits into every view'
        column, row = seen.uv.long().unbind(-1)
        blue_less_red = (inputs['images'][:, 2].int() - inputs['images'][:, 0].int()).float()
        own = torch.stack([view[r, c].mean() for view, r, c in zip(blue_less_red, row, column)])
        assert ((own > 30) if data[index]['data_samples'].class_name == 'plate' else (own < -30)).all()


def test_views_follow_the_points_into_their_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose meshes are not in the unit sphere: points and matrices are carried together."""
    write(tmp_path, monkeypatch, 1, 1)
    path = tmp_path / 'rod/train/rod_0001.off'
    lines = path.read_text().splitlines()
    count = int(lines[1].split()[0])
    moved = [' '.join(str(5 * float(v) + 7) for v in line.split()) for line in lines[2 : 2 + count]]
    before = CLAPObjectDataset(str(tmp_path))[1]['inputs']
    path.write_text('\n'.join([*lines[:2], *moved, *lines[2 + count :]]))
    content = dict(np.load(path.with_suffix('.npz')))
    to_unit = np.diag([0.2, 0.2, 0.2, 1.0])
    to_unit[:3, 3] = -7 / 5
    content['world2cam'] = content['world2cam'] @ to_unit
    np.savez(path.with_suffix('.npz'), **content)
    after = CLAPObjectDataset(str(tmp_path))[1]['inputs']
    torch.testing.assert_close(after['points'], before['points'], atol=1e-5, rtol=0)
    torch.testing.assert_close(after['world2cam'], before['world2cam'], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    'text', ['', 'PLY\n', 'OFF\n', 'OFF\n3 1 0\n0 0 0\n1 0 0\n', 'OFF\n3 1 0\n0 0 0\n1 0 0\n0 x 0\n3 0 1 2\n']
    + ['OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n', 'OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n']
    + ['OFF\n3 1 0\n0 0 0\n1 0 0\nnan 1 0\n3 0 1 2\n'],
)  # fmt: skip
def test_bad_files_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'chair_0001.off'
    path.write_text(text)
    with pytest.raises(DataError, match=path.name):
        read_off(path)


def test_bad_folders_and_views_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match='create_data.py objects'):
        CLAPObjectDataset(str(tmp_path))
    with pytest.raises(DatasetError, match='objects.txt'):
        CLAPObjectDataset(str(tmp_path), 'objects.txt')
    for bad in (dict(splits=['val']), dict(splits=[]), dict(num_points=0)):
        with pytest.raises(ConfigError):
            CLAPObjectDataset(str(tmp_path), **bad)
    off(tmp_path / 'chair/train/chair_0001.off', VERTICES, FACES)
    with pytest.raises(DatasetError, match='views=False'):
        CLAPObjectDataset(str(tmp_path))
    views = tmp_path / 'chair/train/chair_0001.npz'
    views.write_bytes(b'PK\x03\x04 cut off')
    with pytest.raises(DataError, match='chair_0001.npz'):
        CLAPObjectDataset(str(tmp_path))[0]
    np.savez(views, images=np.zeros((2, 4, 4, 3)), cam2img=np.zeros((2, 4, 4)), world2cam=np.zeros((2, 4, 4)))
    with pytest.raises(DataError, match='uint8'):
        CLAPObjectDataset(str(tmp_path))[0]
