from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from projects.CLAP.clap.datasets.transforms import CLAPLoadKeyframe, CLAPLoadMultiViewImages
from tests.fixtures.driving_frames import look_along, make_points


def _lidar(tmp_path, points=None, **extra) -> dict:
    points = make_points(np.random.default_rng(0)) if points is None else points
    points.astype(np.float32).tofile(tmp_path / 'a.bin')
    return dict(lidar_points=dict(lidar_path=str(tmp_path / 'a.bin'), num_pts_feats=5, **extra))


def test_keyframe_is_the_file_and_its_time_is_zero(tmp_path):
    points = make_points(np.random.default_rng(0))
    results = CLAPLoadKeyframe().transform(_lidar(tmp_path, points))
    np.testing.assert_array_equal(results['keyframe_points'], points[:, :3])
    np.testing.assert_array_equal(results['points'].tensor[:, :4], points[:, :4])
    assert (results['points'].tensor[:, 4] == 0).all(), "the file's ring number is not a time"
    np.testing.assert_array_equal(results['keyframe_origins'], np.zeros((1, 3)))
    results['points'].tensor[:] = 7
    np.testing.assert_array_equal(results['keyframe_points'], points[:, :3])


def test_intensities_are_brought_to_255_and_nothing_else_changes(tmp_path):
    points = make_points(np.random.default_rng(0))
    results = CLAPLoadKeyframe(intensity_scale=255.0).transform(_lidar(tmp_path, points))
    np.testing.assert_allclose(results['points'].tensor[:, :4], points[:, :4] * np.float32([1, 1, 1, 255]))
    np.testing.assert_array_equal(results['keyframe_points'], points[:, :3])


def test_one_origin_per_point_and_a_second_lidar_for_the_encoder_only(tmp_path):
    points, extra = make_points(np.random.default_rng(0), 30), make_points(np.random.default_rng(1), 12)
    origins = np.random.default_rng(2).normal(size=(30, 3)).astype(np.float32)
    origins.tofile(tmp_path / 'o.bin')
    extra.tofile(tmp_path / 'e.bin')
    info = _lidar(tmp_path, points, origins_path=str(tmp_path / 'o.bin'), extra_lidar_path=str(tmp_path / 'e.bin'))
    plain = CLAPLoadKeyframe().transform(dict(info))
    both = CLAPLoadKeyframe(add_extra_lidar=True).transform(dict(info))
    assert (len(plain['points']), len(both['points'])) == (30, 42)
    for results in (plain, both):
        np.testing.assert_array_equal(results['keyframe_points'], points[:, :3])
        np.testing.assert_array_equal(results['keyframe_origins'], origins)
    np.testing.assert_array_equal(both['points'].tensor[30:, :3], extra[:, :3])


def test_points_that_are_not_finite(tmp_path):
    points = make_points(np.random.default_rng(0), 30)
    origins = np.arange(90, dtype=np.float32).reshape(30, 3)
    origins.tofile(tmp_path / 'o.bin')
    points[3, 0], points[7, 3] = np.nan, np.inf
    info = _lidar(tmp_path, points, origins_path=str(tmp_path / 'o.bin'))
    with pytest.raises(ValueError, match=r"a\.bin: 2 of 30 points hold NaN or Inf.*nonfinite='drop'"):
        CLAPLoadKeyframe().transform(dict(info))
    results = CLAPLoadKeyframe(nonfinite='drop').transform(dict(info))
    assert results['num_dropped_points'] == 2
    keep = np.delete(np.arange(30), [3, 7])
    np.testing.assert_array_equal(results['keyframe_points'], points[keep, :3])
    np.testing.assert_array_equal(results['keyframe_origins'], origins[keep])
    points[:] = np.nan
    with pytest.raises(ValueError, match='all 30 points'):
        CLAPLoadKeyframe(nonfinite='drop').transform(_lidar(tmp_path, points))


def test_missing_empty_and_truncated_files_are_named(tmp_path):
    info = _lidar(tmp_path)
    path = tmp_path / 'a.bin'
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(ValueError, match=r'a\.bin has 7994 bytes, not a multiple of 20'):
        CLAPLoadKeyframe().transform(info)
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=r'a\.bin is empty'):
        CLAPLoadKeyframe().transform(info)
    path.unlink()
    with pytest.raises(ValueError, match=r'a\.bin does not exist'):
        CLAPLoadKeyframe().transform(info)


def test_wrong_number_of_origins(tmp_path):
    np.zeros((29, 3), np.float32).tofile(tmp_path / 'o.bin')
    with pytest.raises(ValueError, match=r'o\.bin: expected 400 finite sensor positions.*found 29'):
        CLAPLoadKeyframe().transform(_lidar(tmp_path, origins_path=str(tmp_path / 'o.bin')))


def test_wrong_keyframe_arguments():
    with pytest.raises(ValueError, match='nonfinite'):
        CLAPLoadKeyframe(nonfinite='ignore')
    with pytest.raises(ValueError, match='use_dim'):
        CLAPLoadKeyframe(load_dim=4)


@pytest.mark.parametrize('columns, rows', [(3, 3), (4, 3), (4, 4)])
def test_images_are_rgb_and_intrinsics_of_any_shape_are_taken(tmp_path, columns, rows):
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[..., 0] = 200
    Image.fromarray(pixels).save(tmp_path / 'red.png')
    cam2img = np.eye(4)
    cam2img[:3, :3] = [[50, 0, 4], [0, 55, 3], [0, 0, 1]]
    lidar2cam = look_along((0, 1, 0), (1.0, 2.0, 0.5))
    camera = dict(img_path=str(tmp_path / 'red.png'), cam2img=cam2img[:rows, :columns].tolist(), lidar2cam=lidar2cam)
    results = CLAPLoadMultiViewImages().transform(dict(images=dict(back=camera, front=camera)))
    np.testing.assert_array_equal(results['img'][0], pixels)
    assert results['cam_names'] == ['back', 'front']
    assert results['ori_shape'] == (6, 8)
    for key in ('cam2img', 'ori_cam2img', 'lidar2cam', 'cam2lidar', 'lidar2img'):
        assert (results[key].shape, results[key].dtype) == ((2, 4, 4), np.float32)
    np.testing.assert_allclose(results['cam2img'][1], cam2img)
    np.testing.assert_allclose(results['cam2lidar'][0][:3, 3], [1.0, 2.0, 0.5], atol=1e-6)
    u, v, depth, _ = results['lidar2img'][0] @ [1.0, 12.0, 1.5, 1.0]
    np.testing.assert_allclose([u / depth, v / depth, depth], [4.0, 3 - 5.5, 10.0], atol=1e-5)


def test_sizes_that_differ_are_listed(tmp_path):
    for name, size in (('a', (8, 6)), ('b', (10, 6))):
        Image.new('RGB', size).save(tmp_path / f'{name}.png')
    images = {
        name: dict(img_path=str(tmp_path / f'{name}.png'), cam2img=np.eye(3), lidar2cam=np.eye(4)) for name in 'ab'
    }
    assert CLAPLoadMultiViewImages().transform(dict(images=images))['ori_shape'] == [(6, 8), (6, 10)]


def test_damaged_and_missing_images_are_named(tmp_path):
    Image.effect_noise((64, 64), 50).save(tmp_path / 'a.jpg')
    (tmp_path / 'a.jpg').write_bytes((tmp_path / 'a.jpg').read_bytes()[:500])
    camera = dict(img_path=str(tmp_path / 'a.jpg'), cam2img=np.eye(3), lidar2cam=np.eye(4))
    with pytest.raises(ValueError, match=r'a\.jpg cannot be decoded'):
        CLAPLoadMultiViewImages().transform(dict(images=dict(cam=camera)))
    with pytest.raises(ValueError, match=r'gone\.jpg does not exist'):
        CLAPLoadMultiViewImages().transform(dict(images=dict(cam=dict(camera, img_path=str(tmp_path / 'gone.jpg')))))
