"""LiDAR points to pixels and back."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import original_pixels, pixel_rays, project_points, transform_points

SIZE = (256, 704)


def _rotation(yaw, pitch, roll):
    def about(axis, angle):
        generator = torch.zeros(3, 3, dtype=torch.float64)
        a, b = [index for index in range(3) if index != axis]
        generator[a, b], generator[b, a] = -angle, angle
        return torch.linalg.matrix_exp(generator)

    return about(2, yaw) @ about(1, pitch) @ about(0, roll)


def _rigid(rotation, translation):
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3], matrix[:3, 3] = rotation, torch.tensor(translation, dtype=torch.float64)
    return matrix


# Camera axes (x right, y down, z forward) in a LiDAR frame with x forward, y left, z up.
FORWARD_CAMERA = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], dtype=torch.float64)


def _cameras(baseline=0.0):
    """Two cameras looking forward and left: cam2img, cam2lidar, lidar2img."""
    cam2img = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    cam2img[:, 0, 0], cam2img[:, 1, 1] = 1266.4, 1260.8
    cam2img[:, 0, 2], cam2img[:, 1, 2], cam2img[:, 0, 1] = 816.3, 491.5, 0.7
    cam2img[:, 0, 3] = baseline
    cam2lidar = torch.stack(
        [
            _rigid(_rotation(0.02, 0.01, -0.03) @ FORWARD_CAMERA, [0.7, 0.1, -0.4]),
            _rigid(_rotation(1.5, 0.0, 0.02) @ FORWARD_CAMERA, [0.2, 0.5, -0.3]),
        ]
    )
    return cam2img, cam2lidar, cam2img @ torch.linalg.inv(cam2lidar)


def _img_aug(scale, angle, flip, shift):
    linear = scale * torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    if flip:
        linear = torch.tensor([[-1.0, 0.0], [0.0, 1.0]]) @ linear
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:2, :2], matrix[:2, 3] = linear, torch.tensor(shift)
    return matrix.repeat(2, 1, 1)


IDENTITY = torch.eye(4, dtype=torch.float64)


def test_pinhole_by_hand():
    cam2img, _, _ = _cameras()
    lidar2img = cam2img[:1] @ torch.linalg.inv(_rigid(FORWARD_CAMERA, [0.0, 0.0, 0.0]))
    # 10 m ahead, 1 m to the left, 2 m up.
    seen = project_points(torch.tensor([[10.0, 1.0, 2.0]]).double(), lidar2img, IDENTITY[None], IDENTITY, (900, 1600))
    assert seen.depth_m.item() == pytest.approx(10.0)
    assert seen.uv[0, 0].tolist() == pytest.approx([816.3 - 126.64 - 0.7 * 0.2, 491.5 - 252.16])
    assert seen.visible.item()


def test_behind_the_camera_is_never_visible():
    _, _, lidar2img = _cameras()
    points = torch.tensor([[-10.0, 0.0, 0.0], [-10.0, -1.0, -2.0], [10.0, 0.0, 0.0]]).double()
    seen = project_points(points, lidar2img, IDENTITY.repeat(2, 1, 1), IDENTITY, (900, 1600))
    assert (seen.depth_m[0] > 0).tolist() == [False, False, True]
    assert seen.visible[0].tolist() == [False, False, True]
    assert torch.isfinite(seen.uv).all()


def test_image_borders_belong_to_the_pixel_they_open():
    lidar2img = torch.eye(4)[None]
    size = (4, 6)
    points = torch.tensor(
        [[0.0, 0.0, 1.0], [5.999, 3.999, 1.0], [6.0, 0.0, 1.0], [0.0, 4.0, 1.0], [-1e-3, 0.0, 1.0], [0.0, 0.0, 0.0]]
    )
    seen = project_points(points, lidar2img, torch.eye(4)[None], torch.eye(4), size)
    assert seen.visible[0].tolist() == [True, True, False, False, False, False]


def test_augmenting_the_points_alone_moves_no_pixel():
    _, _, lidar2img = _cameras()
    points = torch.randn(100, 3, dtype=torch.float64) * 20
    lidar_aug = _rigid(
        1.05 * _rotation(0.4, 0, 0) @ torch.diag(torch.tensor([1.0, -1.0, 1.0]).double()), [0.3, -0.2, 0.1]
    )
    img_aug = _img_aug(0.48, 0.0, False, [-30.0, -170.0])
    plain = project_points(points, lidar2img, img_aug, IDENTITY, SIZE)
    moved = project_points(transform_points(points, lidar_aug), lidar2img, img_aug, lidar_aug, SIZE)
    torch.testing.assert_close(moved.depth_m, plain.depth_m)
    assert torch.equal(moved.visible, plain.visible) and plain.visible.any()
    torch.testing.assert_close(moved.uv[plain.visible], plain.uv[plain.visible])


angles = st.floats(-math.pi, math.pi)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(angles, st.booleans(), st.booleans(), st.floats(0.9, 1.1), *[st.floats(-1, 1)] * 3),
    st.floats(0.38, 0.55),
    st.floats(-0.1, 0.1),
    st.booleans(),
    st.tuples(st.floats(-400, 100), st.floats(-300, 100)),
    st.sampled_from([0.0, -380.0]),
    st.integers(0, 1000),
)
def test_the_ray_of_a_projected_point_passes_through_it(lidar, scale, angle, flip, shift, baseline, seed):
    yaw, flip_x, flip_y, lidar_scale, *move = lidar
    flips = torch.diag(torch.tensor([-1.0 if flip_x else 1.0, -1.0 if flip_y else 1.0, 1.0]).double())
    lidar_aug = _rigid(lidar_scale * flips @ _rotation(yaw, 0, 0), move)
    img_aug = _img_aug(scale, angle, flip, shift)
    cam2img, cam2lidar, lidar2img = _cameras(baseline)
    points = torch.randn(60, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 30
    seen = project_points(points, lidar2img, img_aug, lidar_aug, SIZE)
    origins, directions = pixel_rays(seen.uv, cam2img, cam2lidar, img_aug, lidar_aug)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(2, 60, dtype=torch.float64))
    offset = points - origins
    along = (offset * directions).sum(-1)
    in_front = seen.depth_m > 0.1
    assert (along[in_front] > 0).all()
    assert ((offset - along[..., None] * directions).norm(dim=-1)[in_front] < 1e-4).all()


def test_round_trip_in_single_precision():
    cam2img, cam2lidar, lidar2img = (matrix.float() for matrix in _cameras())
    lidar_aug = _rigid(1.05 * _rotation(2.5, 0, 0), [0.3, -0.2, 0.1]).float()
    img_aug = _img_aug(0.48, 0.09, True, [650.0, -170.0]).float()
    points = torch.randn(2000, 3) * 20
    seen = project_points(points, lidar2img, img_aug, lidar_aug, SIZE)
    origins, directions = pixel_rays(seen.uv, cam2img, cam2lidar, img_aug, lidar_aug)
    offset = points - origins
    miss = (offset - (offset * directions).sum(-1, keepdim=True) * directions).norm(dim=-1)
    assert seen.visible.any() and miss[seen.visible].max() < 1e-3


def test_rays_start_at_the_augmented_camera_centre():
    cam2img, cam2lidar, _ = _cameras()
    lidar_aug = _rigid(1.1 * _rotation(0.5, 0, 0), [1.0, 2.0, 3.0])
    origins, _ = pixel_rays(torch.rand(2, 7, 2).double(), cam2img, cam2lidar, IDENTITY.repeat(2, 1, 1), lidar_aug)
    expected = (lidar_aug @ cam2lidar)[:, :3, 3]
    torch.testing.assert_close(origins, expected[:, None].expand(2, 7, 3))


def test_original_pixels_undo_the_image_augmentation():
    img_aug = _img_aug(0.5, 0.05, True, [700.0, -100.0])
    original = torch.rand(2, 9, 2, dtype=torch.float64) * 900
    augmented = original @ img_aug[0, :2, :2].t() + img_aug[0, :2, 3]
    torch.testing.assert_close(original_pixels(augmented, img_aug), original)


def test_autocast_leaves_geometry_alone():
    _, _, lidar2img = (matrix.float() for matrix in _cameras())
    points = torch.randn(50, 3) * 20
    arguments = points, lidar2img, torch.eye(4).repeat(2, 1, 1), torch.eye(4), SIZE
    with torch.autocast('cpu', dtype=torch.bfloat16):
        under_autocast = project_points(*arguments)
    assert torch.equal(under_autocast.uv, project_points(*arguments).uv)


def test_no_points():
    cam2img, cam2lidar, lidar2img = _cameras()
    img_aug = IDENTITY.repeat(2, 1, 1)
    seen = project_points(torch.zeros(0, 3).double(), lidar2img, img_aug, IDENTITY, SIZE)
    assert seen.uv.shape == (2, 0, 2) and seen.visible.shape == (2, 0)
    assert pixel_rays(seen.uv, cam2img, cam2lidar, img_aug, IDENTITY)[0].shape == (2, 0, 3)


def test_wrong_shapes_are_refused():
    cam2img, cam2lidar, lidar2img = _cameras()
    img_aug = IDENTITY.repeat(2, 1, 1)
    with pytest.raises(ValueError, match='points'):
        project_points(torch.zeros(5, 4).double(), lidar2img, img_aug, IDENTITY, SIZE)
    with pytest.raises(ValueError, match='img_aug'):
        project_points(torch.zeros(5, 3).double(), lidar2img, img_aug[:1], IDENTITY, SIZE)
    with pytest.raises(ValueError, match='lidar_aug'):
        pixel_rays(torch.zeros(2, 3, 2).double(), cam2img, cam2lidar, img_aug, IDENTITY[:3])
    with pytest.raises(ValueError, match='uv'):
        original_pixels(torch.zeros(3, 3, 2).double(), img_aug)
