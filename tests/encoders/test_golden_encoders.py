"""The encoders against the figures of mmdetection3d's BEVFusion.

Two entries are missing on purpose: the detector has no transform without depth images (`lss_forward`) and no greedy
assigner (`heuristic_assigner`).
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from numpy.typing import ArrayLike
from torch import Tensor

from projects.CLAP.clap.encoders.camera_matrices import camera_matrices
from projects.CLAP.clap.encoders.encoder_base import CLAPEncoderBase
from projects.CLAP.clap.encoders.fusion import CLAPConvFuser
from projects.CLAP.clap.encoders.lss_fpn import CLAPLSSFPN
from projects.CLAP.clap.encoders.sparse_encoder import CLAPSparseEncoder
from projects.CLAP.clap.encoders.view_transform import CLAPDepthLSSTransform
from tests.fixtures.golden import check, fill, golden, hashed, uniform

FORWARD = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # camera -> LiDAR, looking along +x
NORM = dict(type='BN', eps=1e-3, momentum=0.01)


def homogeneous(linear: ArrayLike, shift: ArrayLike = (0.0, 0.0, 0.0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, shift
    return matrix


def around_z(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


LIDAR_AUG = homogeneous(1.05 * around_z(np.pi / 6) @ np.diag([1, -1, 1]), (0.5, -0.25, 0.1))


def meta(intrinsics: tuple, cam2lidar: list, img_aug: np.ndarray, lidar_aug: np.ndarray) -> dict:
    """Cameras of one sample: intrinsics = focal length and principal point, shared by all of them."""
    focal, u, v = intrinsics
    cam2img = homogeneous([[focal, 0, u], [0, focal, v], [0, 0, 1]])
    return dict(
        cam2img=np.stack([cam2img] * len(cam2lidar)),
        cam2lidar=np.stack(cam2lidar),
        lidar2img=np.stack([cam2img @ np.linalg.inv(matrix) for matrix in cam2lidar]),
        img_aug_matrix=np.stack([img_aug] * len(cam2lidar)),
        lidar_aug_matrix=lidar_aug,
    )


def tiny_metas() -> list:
    """Two samples with a camera to the front and one to the back; the second sample is augmented."""
    cameras = [
        homogeneous(FORWARD, (0.53, 0.02, 0.2)),
        homogeneous(around_z(np.pi) @ FORWARD, (-0.47, 0.12, 0.2)),
    ]
    return [
        meta((20, 32, 16), cameras, np.eye(4), np.eye(4)),
        meta((20, 32, 16), cameras, homogeneous(np.diag([0.9, 0.9, 1]), (3, 1.5, 0)), LIDAR_AUG),
    ]


def tiny_points() -> list:
    return [torch.tensor(golden()['depth_map'][name]) for name in ('points0', 'points1')]


def tiny_transform() -> CLAPDepthLSSTransform:
    module = CLAPDepthLSSTransform(
        in_channels=8,
        out_channels=4,
        image_size=[32, 64],
        feature_size=[4, 8],
        xbound=[-4.8, 4.8, 0.3],
        ybound=[-4.8, 4.8, 0.3],
        zbound=[-10.0, 10.0, 20.0],
        dbound=[1.0, 9.0, 0.5],
        downsample=2,
    )
    return fill(module).eval()


def frustum_points(module: CLAPDepthLSSTransform, metas: list) -> Tensor:
    """Frustum points with the axes of the golden file, (B, C, D, h, w, 3)."""
    cameras = camera_matrices(metas, len(metas[0]['cam2img']))
    return torch.stack([module.frustum_points(cameras, i).permute(0, 3, 1, 2, 4) for i in range(len(metas))])


def check_points(volume: Tensor, expected: dict) -> None:
    for index, point in expected.items():
        d, h, w = map(int, index.split(','))
        assert volume[d, h, w].tolist() == pytest.approx(point, rel=1e-5, abs=1e-5), index


def test_frustum(paper_transform: CLAPDepthLSSTransform) -> None:
    entry = golden()['frustum_full']
    assert paper_transform.nx.tolist() == entry['nx']
    assert paper_transform.dx.tolist() == pytest.approx(entry['dx'], rel=1e-6)
    assert paper_transform.bx.tolist() == pytest.approx(entry['bx'], rel=1e-6)
    assert list(paper_transform.frustum.shape) == entry['frustum_shape']
    # the names of the frozen parameters
    assert not any(paper_transform.get_parameter(name).requires_grad for name in entry['requires_grad'])
    check_points(paper_transform.frustum, entry['points'])


@pytest.mark.parametrize('case,lidar_aug', [('A', np.eye(4)), ('B', LIDAR_AUG)], ids='AB')
def test_geometry(paper_transform: CLAPDepthLSSTransform, case: str, lidar_aug: np.ndarray) -> None:
    camera = homogeneous(FORWARD, (1.5, 0.1, -0.3))
    img_aug = homogeneous(np.diag([0.48, 0.48, 1]), (-32, -176, 0))
    points = frustum_points(paper_transform, [meta((1266, 816, 491), [camera], img_aug, lidar_aug)])
    check_points(points[0, 0], golden()['geometry_full'][case])
    check(points, golden()['geometry_full'][f'{case}_all'], relative=1e-4)


@pytest.mark.usefixtures('place')
def test_depth_map() -> None:
    maps = tiny_transform().depth_maps(tiny_points(), camera_matrices(tiny_metas(), 2))
    places, expected = maps.nonzero().tolist(), golden()['depth_map']['nonzero']
    assert places == [[b, n, 0, row, col] for b, n, _, row, col, _ in expected]
    assert maps[maps != 0].tolist() == pytest.approx([entry[-1] for entry in expected], rel=1e-5)


def test_depth_behind_the_camera_is_clamped() -> None:
    """The pixel is left open: rounding moves it by a few."""
    cameras = camera_matrices([meta((20, 32, 16), [homogeneous(FORWARD)], np.eye(4), np.eye(4))], 1)
    depth = tiny_transform().depth_maps([torch.tensor([[-3.0, -4.800016, -2.400008]])], cameras)
    assert depth[depth != 0].tolist() == pytest.approx([golden()['depth_behind_camera']['nonzero'][0][-1]], rel=1e-6)


@pytest.mark.usefixtures('place')
def test_view_transform() -> None:
    entry, module, metas = golden()['depth_lss_forward'], tiny_transform(), tiny_metas()
    features = uniform('img_feat', (2, 2, 8, 4, 8))
    check(frustum_points(module, metas), entry['geometry'], relative=1e-4)
    pooled = []
    module.downsample.register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    with torch.no_grad():
        maps = module.depth_maps(tiny_points(), camera_matrices(metas, 2))
        depth, context = module.predict_depth(features, maps)
        output = module(features, tiny_points(), metas)
    lifted = (depth[:, :, None] * context[:, None]).view(2, 2, 4, 8, 16, 4).permute(0, 1, 4, 2, 3, 5)
    check(lifted, entry['lifted'])
    check(pooled[0], entry['pooled'])
    check(output, entry['output'])


@pytest.mark.usefixtures('place')
def test_image_neck() -> None:
    neck = fill(CLAPLSSFPN(in_channels=[8, 16, 24], out_channels=12)).eval()
    levels = [uniform('f0', (2, 8, 8, 12)), uniform('f1', (2, 16, 4, 6)), uniform('f2', (2, 24, 2, 3))]
    with torch.no_grad():
        outputs = neck(levels)
    summaries = golden()['generalized_lss_fpn']['outputs']
    assert len(outputs) == len(summaries)
    for output, summary in zip(outputs, summaries):
        check(output, summary)


@pytest.mark.usefixtures('place')
def test_fusion_backbone_and_neck() -> None:
    """The parts alone, then as `fuse` (Eq. 3) calls them."""
    entry = golden()['fuser_second_fpn']
    second = dict(type='SECOND', in_channels=16, out_channels=[8, 16], layer_nums=[2, 2], layer_strides=[1, 2])
    fpn = dict(type='SECONDFPN', in_channels=[8, 16], out_channels=[12, 12], upsample_strides=[1, 2])
    parts = SimpleNamespace(
        fusion_layer=fill(CLAPConvFuser(in_channels=[6, 10], out_channels=16)).eval(),
        pts_backbone=fill(MODELS.build(dict(second, norm_cfg=NORM))).eval(),
        pts_neck=fill(MODELS.build(dict(fpn, norm_cfg=NORM, use_conv_for_no_stride=True))).eval(),
    )
    camera, lidar = uniform('cam', (2, 6, 8, 12)), uniform('pts', (2, 10, 8, 12))
    with torch.no_grad():
        fused = parts.fusion_layer([camera, lidar])
        levels = parts.pts_backbone(fused)
        output = CLAPEncoderBase.fuse(parts, lidar, camera)
    check(fused, entry['fused'])
    for level, summary in zip(levels, entry['second']):
        check(level, summary)
    check(output, entry['fpn'][0])


@pytest.mark.usefixtures('place')
def test_sparse_encoder() -> None:
    """Any number of threads: on the CPU the convolutions are this project's own, not spconv's, which need one."""
    entry = golden()['sparse_encoder']
    x, y, z = (np.floor((hashed(tag, 300) + 1) / 2 * size) for tag, size in (('cx', 32), ('cy', 48), ('cz', 40)))
    coords = torch.tensor(np.unique(np.stack([np.arange(300) >= 150, x, y, z], 1), axis=0)).int()
    assert len(coords) == entry['num_voxels'] and coords[:4].tolist() == entry['first_coords']
    encoder = fill(CLAPSparseEncoder(in_channels=5, sparse_shape=[32, 48, 41])).eval()
    with torch.no_grad():
        check(encoder(uniform('vox', (len(coords), 5)), coords, 2), entry['output'])
