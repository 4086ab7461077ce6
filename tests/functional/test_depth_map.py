"""The sparse depth image equals a loop over cameras and points."""

from __future__ import annotations

import numpy as np
import torch

from projects.CLAP.clap.functional.depth_map import sparse_depth_map

SIZE = (12, 20)


def rotation(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    i, j = [k for k in range(3) if k != axis]
    out = np.eye(4)
    out[i, i], out[i, j], out[j, i], out[j, j] = c, -s, s, c
    return out


def scene(num_points: int = 3000, seed: int = 0):
    """Two cameras, image and LiDAR augmentation, points on all sides, several per pixel."""
    rng = np.random.default_rng(seed)
    intrinsics = np.eye(4)
    intrinsics[0, 0] = intrinsics[1, 1] = 15.0
    intrinsics[0, 2], intrinsics[1, 2] = 12.0, 8.0
    cam = np.zeros((4, 4))
    cam[0, 1], cam[1, 2], cam[2, 0], cam[3, 3] = -1, -1, 1, 1  # camera looks along +x of the LiDAR frame
    lidar2img = np.stack([intrinsics @ cam, intrinsics @ cam @ rotation(2, 2.0)])
    img_aug = np.stack([np.eye(4), rotation(2, 0.1)])
    img_aug[:, 0, 0] *= 0.9
    img_aug[:, :2, 3] = [[-1.5, -2.0], [1.0, 0.5]]
    lidar_aug = rotation(2, 0.4) @ np.diag([1.05, -1.05, 1.05, 1.0])
    lidar_aug[:3, 3] = [0.3, -0.2, 0.1]
    points = rng.uniform(-10, 10, (num_points, 5))
    points[num_points // 2 :, :3] = points[: num_points // 2, :3] * 1.01
    to_tensor = lambda a: torch.from_numpy(a).float()
    return to_tensor(points), to_tensor(lidar2img), to_tensor(img_aug), to_tensor(lidar_aug)


def reference(points, lidar2img, img_aug, lidar_aug):
    """Plain loops, sequential assignment: what the published models do on a CPU. And the number of assignments."""
    writes = 0
    out = np.zeros((len(lidar2img), 1, *SIZE))
    undo = np.linalg.inv(lidar_aug.double().numpy())
    for index in range(len(lidar2img)):
        for point in points.double().numpy():
            xyz = undo @ np.append(point[:3], 1)
            u, v, z = (lidar2img[index].double().numpy() @ xyz)[:3]
            z = min(max(z, 1e-5), 1e5)
            col, row = (img_aug[index].double().numpy() @ [u / z, v / z, z, 1])[:2]
            if 0 <= row < SIZE[0] and 0 <= col < SIZE[1]:
                out[index, 0, int(row), int(col)] = z
                writes += 1
    return torch.from_numpy(out).float(), writes


def test_equals_a_sequential_loop_with_collisions():
    arguments = scene()
    expected, writes = reference(*arguments)
    pixels = int((expected > 0).sum())
    assert 100 < pixels < writes - 50, 'the scene must hit many pixels, and many of them twice'
    torch.testing.assert_close(sparse_depth_map(*arguments, SIZE), expected, rtol=1e-4, atol=1e-4)


def test_the_last_point_wins_not_the_nearest():
    points = torch.tensor([[4.0, 0, 0], [9.0, 0, 0], [6.0, 0, 0]])
    _, lidar2img, _, _ = scene()
    still = torch.eye(4)
    first = sparse_depth_map(points, lidar2img[:1], still[None], still, SIZE)
    swapped = sparse_depth_map(points[[1, 2, 0]], lidar2img[:1], still[None], still, SIZE)
    assert first[0, 0, 8, 12] == 6 and (first > 0).sum() == 1
    assert swapped[0, 0, 8, 12] == 4


def test_points_behind_the_camera_leave_the_image_and_bad_points_are_dropped():
    _, lidar2img, _, _ = scene()
    still = torch.eye(4)
    points = torch.tensor([[-5.0, 0.5, 0.5], [float('nan'), 0, 0], [float('inf'), 0, 0], [5.0, 0.5, 0.5]])
    depth = sparse_depth_map(points, lidar2img[:1], still[None], still, SIZE)
    assert depth[depth > 0].tolist() == [5.0]


def test_pixels_just_outside_do_not_truncate_into_the_image():
    """Bounds are checked before truncation: column -0.5 is outside, not column 0."""
    lidar2img = torch.eye(4)[None]
    points = torch.tensor([[-0.5, 2.0, 1.0], [2.0, -0.5, 1.0], [19.9, 11.9, 1.0], [20.0, 3.0, 1.0]])
    depth = sparse_depth_map(points, lidar2img, torch.eye(4)[None], torch.eye(4), SIZE)
    assert torch.nonzero(depth).tolist() == [[0, 0, 11, 19]]


def test_an_empty_cloud_gives_an_empty_map():
    _, lidar2img, img_aug, lidar_aug = scene()
    assert sparse_depth_map(torch.zeros(0, 5), lidar2img, img_aug, lidar_aug, SIZE).abs().max() == 0
