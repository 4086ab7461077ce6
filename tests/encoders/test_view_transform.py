"""Geometry and pooling of the view transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from torch import nn

from projects.CLAP.clap.encoders.camera_matrices import camera_matrices
from projects.CLAP.clap.encoders.view_transform import CLAPDepthLSSTransform

SMALL = dict(
    in_channels=6,
    out_channels=4,
    image_size=[32, 64],
    feature_size=[4, 8],
    xbound=[-12.0, 12.0, 0.5],
    ybound=[-8.0, 8.0, 0.5],
    zbound=[-4.0, 4.0, 8.0],
    dbound=[1.0, 11.0, 0.5],
)


def rotation(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    i, j = [k for k in range(3) if k != axis]
    out = np.eye(4)
    out[i, i], out[i, j], out[j, i], out[j, j] = c, -s, s, c
    return out


def random_meta(rng: np.random.Generator, num_cameras: int = 2, augmented: bool = True) -> dict:
    """Cameras on a ring, looking outwards, 1.5 m from the LiDAR, with image and LiDAR augmentation."""
    meta = {key: [] for key in ('lidar2img', 'cam2img', 'cam2lidar', 'img_aug_matrix')}
    axes = np.array([[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 0.2], [0, 0, 0, 1.0]])
    for index in range(num_cameras):
        cam2lidar = rotation(2, 2 * np.pi * index / num_cameras + rng.normal(0, 0.05)) @ axes
        cam2img = np.eye(4)
        cam2img[0, 0] = cam2img[1, 1] = 60.0
        cam2img[:2, 2] = [70.0, 45.0]
        img_aug = np.eye(4)
        if augmented:
            img_aug = rotation(2, rng.normal(0, 0.05))
            img_aug[:2, :2] *= 0.5
            img_aug[:2, 3] = [-3.0, -7.0]
        meta['cam2img'].append(cam2img)
        meta['cam2lidar'].append(cam2lidar)
        meta['lidar2img'].append(cam2img @ np.linalg.inv(cam2lidar))
        meta['img_aug_matrix'].append(img_aug)
    meta = {key: np.stack(value) for key, value in meta.items()}
    if augmented:
        meta['lidar_aug_matrix'] = rotation(2, rng.normal(0, 0.5)) @ np.diag([1.03, -1.03, 1.03, 1.0])
        meta['lidar_aug_matrix'][:3, 3] = rng.normal(0, 0.3, 3)
    return meta


def test_frozen_geometry_of_the_paper(paper_transform: CLAPDepthLSSTransform):
    module = paper_transform
    for name in ('dx', 'bx', 'nx', 'frustum'):
        assert not getattr(module, name).requires_grad
    torch.testing.assert_close(module.dx.data, torch.tensor([0.3, 0.3, 20.0]))
    torch.testing.assert_close(module.bx.data, torch.tensor([-53.85, -53.85, 0.0]))
    assert module.nx.tolist() == [360, 360, 1] and module.nx.dtype == torch.int64
    assert module.frustum.shape == (118, 32, 88, 3)
    assert module.frustum[0, 0, 0].tolist() == [0.0, 0.0, 1.0]
    assert module.frustum[-1, -1, -1].tolist() == [703.0, 255.0, 59.5]
    assert module.bev_shape == (180, 180) and module.bev_channels == 80


def test_frustum_points_project_back_to_their_pixel():
    """Lifting and the projection of the depth map are inverse to each other, with every augmentation on."""
    module = CLAPDepthLSSTransform(**SMALL)
    meta = random_meta(np.random.default_rng(0))
    cameras = camera_matrices([meta], 2)
    points = module.frustum_points(cameras, 0).double().numpy()  # (C, h, w, D, 3)
    undo = np.linalg.inv(meta['lidar_aug_matrix'])
    for camera in range(2):
        xyz = np.concatenate([points[camera], np.ones((*points.shape[1:4], 1))], -1) @ undo.T
        image = xyz @ meta['lidar2img'][camera].T
        depth = image[..., 2]
        pixel = np.stack([image[..., 0] / depth, image[..., 1] / depth, depth, np.ones_like(depth)], -1)
        pixel = pixel @ meta['img_aug_matrix'][camera].T
        expected = module.frustum.permute(1, 2, 0, 3).double().numpy()
        np.testing.assert_allclose(pixel[..., :3], expected, atol=2e-3)


def reference_forward(module: CLAPDepthLSSTransform, features, points, metas):
    """The camera BEV with every (pixel, bin) vector written out, one camera matrix at a time."""
    batch, num_cameras = features.shape[:2]
    cameras = camera_matrices(metas, num_cameras)
    maps = module.depth_maps(points, cameras)
    size_x, size_y, size_z = module.grid
    bev = torch.zeros(batch, size_z, size_x, size_y, module.out_channels)
    for b in range(batch):
        for n in range(num_cameras):
            x = torch.cat([module.dtransform(maps[b, n][None]), features[b, n][None]], 1)
            x = module.depthnet(x)[0]
            depth, context = x[: module.num_bins].softmax(0), x[module.num_bins :]
            volume = (depth[None] * context[:, None]).permute(1, 2, 3, 0)  # (D, h, w, C)
            img_aug, cam2lidar = cameras.img_aug[b, n], cameras.cam2lidar[b, n]
            pixel = module.frustum.double() - img_aug[:3, 3]
            pixel = torch.einsum('ij,dhwj->dhwi', torch.inverse(img_aug[:3, :3]), pixel)
            pixel = torch.stack([pixel[..., 0] * pixel[..., 2], pixel[..., 1] * pixel[..., 2], pixel[..., 2]], -1)
            pixel = torch.einsum('ij,dhwj->dhwi', torch.inverse(cameras.cam2img[b, n, :3, :3]), pixel)
            xyz = torch.einsum('ij,dhwj->dhwi', cam2lidar[:3, :3], pixel) + cam2lidar[:3, 3]
            aug = cameras.lidar_aug[b]
            xyz = torch.einsum('ij,dhwj->dhwi', aug[:3, :3], xyz) + aug[:3, 3]
            cell = ((xyz - (module.bx - module.dx / 2)) / module.dx).long()
            keep = ((cell >= 0) & (cell < module.nx)).all(-1)
            i, j, k = cell[keep].unbind(-1)
            bev[b] = bev[b].index_put((k, i, j), volume[keep], accumulate=True)
    return module.downsample(torch.cat(bev.permute(0, 4, 1, 2, 3).unbind(2), 1))


@pytest.mark.parametrize(
    'change', [dict(), dict(downsample=2), dict(zbound=[-4.0, 4.0, 2.0])], ids=['plain', 'downsampled', 'four_heights']
)
def test_equals_the_materialised_form(change):
    rng = np.random.default_rng(1)
    module = CLAPDepthLSSTransform(**{**SMALL, **change}).eval()
    metas = [random_meta(rng), random_meta(rng, augmented=False)]
    points = [torch.from_numpy(rng.uniform(-10, 10, (500, 5))).float() for _ in metas]
    features = torch.randn(2, 2, 6, 4, 8, requires_grad=True)
    out, expected = module(features, points, metas), reference_forward(module, features, points, metas)
    assert out.shape == (2, module.bev_channels, *module.bev_shape)
    assert expected.abs().max() > 0
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    upstream = torch.randn_like(out)
    wanted = [features, *(p for p in module.parameters() if p.requires_grad)]
    ours = torch.autograd.grad((out * upstream).sum(), wanted)
    theirs = torch.autograd.grad((expected * upstream).sum(), wanted)
    for got, reference in zip(ours, theirs):
        torch.testing.assert_close(got, reference, rtol=1e-3, atol=1e-4 * float(reference.abs().max()))


def test_axis_minus_two_is_x():
    """A camera that looks along +x, its image left of the principal point (that is +y): the quarter x > 0, y > 0."""
    module = CLAPDepthLSSTransform(**SMALL).eval()
    features, cloud = torch.randn(1, 2, 6, 4, 8), [torch.zeros(0, 5)]
    meta = random_meta(np.random.default_rng(0), augmented=False)
    axes = np.array([[0, 0, 1, 0.5], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    meta['cam2lidar'] = np.stack([axes, axes])
    filled = module(features, cloud, [meta]).abs().sum((0, 1)) > 0
    assert filled.shape == (48, 32) and filled[25:].any() and not filled[:24].any()
    assert not filled[:, :15].any()


def test_precision_under_autocast():
    module = CLAPDepthLSSTransform(**SMALL).eval()
    metas = [random_meta(np.random.default_rng(0))]
    features, cloud = torch.randn(1, 2, 6, 4, 8), [torch.randn(200, 5) * 5]
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = module(features, cloud, metas)
    with torch.no_grad():
        plain = module(features, cloud, metas)
    assert mixed.dtype == torch.float32
    assert (mixed - plain).abs().max() < 0.05 * plain.abs().max()


def test_a_checkpoint_of_another_geometry_is_reported_and_not_obeyed():
    state = CLAPDepthLSSTransform(**{**SMALL, 'xbound': [-12.0, 12.0, 1.0]}).state_dict()
    module = CLAPDepthLSSTransform(**SMALL)
    with pytest.raises(RuntimeError, match='nx: the checkpoint was made with another geometry'):
        module.load_state_dict(state)
    assert module.nx.tolist() == [48, 32, 1] and module.dx[0] == 0.5
    module.load_state_dict({k: v for k, v in state.items() if k not in ('dx', 'bx', 'nx', 'frustum')}, strict=False)
    torch.testing.assert_close(module.depthnet[0].weight.data, state['depthnet.0.weight'])


def test_frozen_integer_parameter_survives_ddp(tmp_path):
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path / "store"}', rank=0, world_size=1)
    try:
        module = nn.parallel.DistributedDataParallel(CLAPDepthLSSTransform(**SMALL))
        meta = random_meta(np.random.default_rng(0))
        module(torch.randn(1, 2, 6, 4, 8), [torch.randn(50, 5)], [meta]).square().sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    assert module.module.depthnet[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    'change,message',
    [
        (dict(xbound=[-12.0, 12.0, 0.7]), 'xbound .* whole number of cells'),
        (dict(feature_size=[4, 9]), 'image_size'),
        (dict(image_size=[8, 16]), 'multiple of 4'),
    ],
)
def test_bad_configurations_are_explained(change, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='CLAPDepthLSSTransform', **{**SMALL, **change}))


def test_bad_calibration_is_explained():
    module = CLAPDepthLSSTransform(**SMALL)
    features, cloud = torch.randn(1, 2, 6, 4, 8), [torch.zeros(0, 5)]
    meta = random_meta(np.random.default_rng(0))
    without = {**meta, 'token': 'abc'}
    del without['cam2lidar']
    with pytest.raises(ValueError, match='sample abc has no "cam2lidar"'):
        module(features, cloud, [without])
    with pytest.raises(ValueError, match=r'"cam2img" has shape \(1, 4, 4\), expected \(2, 4, 4\)'):
        module(features, cloud, [{**meta, 'cam2img': meta['cam2img'][:1]}])
    with pytest.raises(ValueError, match='non-finite'):
        module(features, cloud, [{**meta, 'lidar2img': meta['lidar2img'] * np.nan}])
    with pytest.raises(ValueError, match='image features of'):
        module(torch.randn(1, 2, 6, 5, 8), cloud, [meta])
