"""The whole encoder: names of the state dict, modalities, configuration checks, real data."""

from __future__ import annotations

import copy
import json
import pickle
import resource
import time

import numpy as np
import pytest
import torch
from mmengine.config import Config

from projects.CLAP.clap.encoders import CLAPEncoderBase
from projects.CLAP.clap.encoders.encoder_base import ENCODERS
from projects.CLAP.clap.encoders.geometry import with_geometry

BN1D, BN2D = dict(type='BN1d', eps=1e-3, momentum=0.01), dict(type='BN', eps=1e-3, momentum=0.01)


class Encoder(CLAPEncoderBase):
    """The base class with its abstract methods filled, as a subclass would."""

    def loss(self, batch_inputs, batch_data_samples):
        raise NotImplementedError

    predict = _forward = loss


def small_config() -> dict:
    """A 16 x 16 BEV over +-12.8 m, images of 64 x 96: everything by configuration."""
    return dict(
        voxelize_cfg=dict(
            max_num_points=5,
            max_voxels=[2000, 3000],
            voxel_size=[0.4, 0.4, 0.5],
            point_cloud_range=[-12.8, -12.8, -5.0, 12.8, 12.8, 3.0],
        ),
        pts_middle_encoder=dict(
            type='CLAPSparseEncoder',
            in_channels=5,
            sparse_shape=[64, 64, 17],
            base_channels=8,
            output_channels=8,
            encoder_channels=((8, 8, 12), (12, 12, 16), (16, 16)),
            encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0)),
            norm_cfg=BN1D,
        ),
        img_backbone=dict(
            type='mmdet.SwinTransformer',
            embed_dims=12,
            depths=[1, 1, 1, 1],
            num_heads=[1, 2, 3, 4],
            window_size=4,
            out_indices=[1, 2, 3],
            drop_path_rate=0.0,
            convert_weights=True,
            init_cfg=None,
        ),
        img_neck=dict(type='CLAPLSSFPN', in_channels=[24, 48, 96], out_channels=16),
        view_transform=dict(
            type='CLAPDepthLSSTransform',
            in_channels=16,
            out_channels=6,
            image_size=[64, 96],
            feature_size=[8, 12],
            xbound=[-12.8, 12.8, 0.8],
            ybound=[-12.8, 12.8, 0.8],
            zbound=[-5.0, 3.0, 8.0],
            dbound=[1.0, 13.0, 1.0],
            downsample=2,
        ),
        fusion_layer=dict(type='CLAPConvFuser', in_channels=[6, 16], out_channels=16),
        pts_backbone=dict(
            type='SECOND',
            in_channels=16,
            out_channels=[8, 16],
            layer_nums=[1, 1],
            layer_strides=[1, 2],
            norm_cfg=BN2D,
            conv_cfg=dict(type='Conv2d', bias=False),
        ),
        pts_neck=dict(
            type='SECONDFPN',
            in_channels=[8, 16],
            out_channels=[12, 12],
            upsample_strides=[1, 2],
            norm_cfg=BN2D,
            upsample_cfg=dict(type='deconv', bias=False),
            use_conv_for_no_stride=True,
        ),
    )


def camera_meta(num_cameras: int = 2) -> dict:
    cam2img, cam2lidar = np.eye(4), np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    cam2img[0, 0] = cam2img[1, 1] = 50
    cam2img[:2, 2] = [48, 32]
    stack = lambda matrix: np.stack([matrix] * num_cameras)
    return dict(cam2img=stack(cam2img), cam2lidar=stack(cam2lidar), lidar2img=stack(cam2img @ np.linalg.inv(cam2lidar)))


def small_batch(batch: int = 2):
    points = [
        torch.rand(800 + 100 * i, 5) * torch.tensor([24.0, 24.0, 6.0, 1.0, 0.0])
        - torch.tensor([12.0, 12.0, 4.0, 0.0, 0.0])
        for i in range(batch)
    ]
    return points, torch.randn(batch, 2, 3, 64, 96), [camera_meta() for _ in range(batch)]


def paper_config(repo_root) -> dict:
    config = Config.fromfile(repo_root / 'projects/CLAP/configs/clap_nus.py').model
    assert config.pop('type') == 'CLAP'
    assert config.img_backbone.init_cfg.type == 'Pretrained'
    config.img_backbone.init_cfg = None
    config.pop('data_preprocessor')
    names = CLAPEncoderBase.__init__.__code__.co_varnames
    config = {key: value for key, value in config.items() if key in names}
    return {**config, **with_geometry(config['voxelize_cfg'], {name: config[name] for name in ENCODERS})}


def test_entries_are_those_of_the_bevfusion_detector(repo_root):
    """486 names, shapes and types at the paper's size; facts of mmdetection3d 1.4.0."""
    expected = json.loads((repo_root / 'tests/fixtures/bevfusion_encoder_entries.json').read_text())
    assert len(expected) == 486
    state = Encoder(**paper_config(repo_root)).state_dict()
    assert {key: [str(value.dtype).replace('torch.', ''), *value.shape] for key, value in state.items()} == expected


def test_whole_model_trains_and_every_parameter_gets_a_gradient():
    model = Encoder(**small_config()).train()
    points, imgs, metas = small_batch()
    out = model.encode(points, imgs, None, metas)
    assert out.lidar_bev.shape == (2, 16, 16, 16) and out.camera_bev.shape == (2, 6, 16, 16)
    assert out.fused_bev.shape == (2, 24, 16, 16) and model.bev_shape == (16, 16)
    out.fused_bev.square().mean().backward()
    silent = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or p.grad.abs().sum() == 0)]
    assert silent == []


def test_depth_points_reach_the_camera_branch_only():
    model = Encoder(**small_config()).eval()
    points, imgs, metas = small_batch(1)
    with torch.no_grad():
        plain = model.encode(points, imgs, None, metas)
        other = model.encode(points, imgs, [points[0][:50]], metas)
    assert torch.equal(plain.lidar_bev, other.lidar_bev) and not torch.equal(plain.camera_bev, other.camera_bev)


def test_both_branches_agree_on_where_a_thing_is():
    """A wall of points ahead (+x) lights up the same half of both maps; axis -2 is x."""
    model = Encoder(**small_config()).eval()
    wall = torch.zeros(400, 5)
    wall[:, 0], wall[:, 1], wall[:, 2] = 8.0, torch.linspace(-2, 6, 400), torch.rand(400)
    with torch.no_grad():
        lidar = model.extract_lidar([wall])[0].abs().sum(0)
        features = torch.randn(1, 2, 16, 8, 12)
        camera = model.view_transform
        camera.downsample = torch.nn.Identity()
        pooled = camera(features, [wall], [camera_meta()])[0].abs().sum(0)
    assert lidar[8:].sum() > 0 and lidar[:8].sum() == 0
    assert pooled[16:].sum() > 0 and pooled[:15].sum() == 0


@pytest.mark.parametrize('modality', ['lidar', 'camera'])
def test_one_modality_alone(modality):
    config = small_config()
    config['fusion_layer'] = None
    points, imgs, metas = small_batch()
    if modality == 'lidar':
        config.update(img_backbone=None, img_neck=None, view_transform=None)
        out = Encoder(**config).encode(points)
        assert out.camera_bev is None and out.lidar_bev.shape == (2, 16, 16, 16)
    else:
        config.update(pts_middle_encoder=None, voxelize_cfg=None)
        config['pts_backbone']['in_channels'] = 6
        out = Encoder(**config).encode(points, imgs, None, metas)
        assert out.lidar_bev is None and out.camera_bev.shape == (2, 6, 16, 16)
    assert out.fused_bev.shape == (2, 24, 16, 16)


def test_images_that_stay_in_the_image_plane():
    class Flat(Encoder):
        lifts_images = False

    config = small_config()
    with pytest.raises(ValueError, match='view_transform=None and fusion_layer=None'):
        Flat(**config)
    config.update(view_transform=None, fusion_layer=None)
    channels = config['pts_backbone']['in_channels'] = 2 * config['pts_middle_encoder']['output_channels']
    points, imgs, metas = small_batch()
    model = Flat(**config)
    encoded = model.encode(points, imgs, metas=metas)
    assert encoded.camera_bev is None and encoded.lidar_bev.shape[1] == channels
    assert model.image_features(imgs).shape == (*imgs.shape[:2], config['img_neck']['out_channels'], 8, 12)
    with pytest.raises(ValueError, match='needs the LiDAR branch'):
        Flat(**{**config, 'pts_middle_encoder': None})


def test_voxel_caps_differ_between_training_and_evaluation():
    config = small_config()
    config['voxelize_cfg']['max_voxels'] = [10, 20]
    model = Encoder(**config)
    points, *_ = small_batch()
    for training, cap in ((True, 10), (False, 20)):
        model.train(training)
        features, coords = model.voxelize(points)
        assert features.shape == (2 * cap, 5) and coords.dtype == torch.int32
        assert torch.bincount(coords[:, 0]).tolist() == [cap, cap]


def test_building_twice_leaves_the_configuration_alone():
    config = small_config()
    before = copy.deepcopy(config)
    Encoder(**config)
    assert config == before
    Encoder(**config)


def test_init_weights_touches_the_image_backbone_only():
    model = Encoder(**small_config())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.img_backbone.parameters():
            parameter.fill_(7.0)
    model.init_weights()
    for key, value in model.state_dict().items():
        if key.endswith('attn.w_msa.qkv.weight'):
            assert not (value == 7.0).any(), key
        elif not key.startswith('img_backbone'):
            assert torch.equal(value, before[key]), key


def test_saved_and_loaded_values_are_equal(tmp_path):
    source, target = Encoder(**small_config()), Encoder(**small_config())
    torch.save(dict(state_dict=source.state_dict()), tmp_path / 'c.pth')
    target.load_state_dict(torch.load(tmp_path / 'c.pth', weights_only=True)['state_dict'])
    for (key, a), b in zip(source.state_dict().items(), target.state_dict().values()):
        assert torch.equal(a, b), key


def test_mixed_precision_on_the_cpu():
    model = Encoder(**small_config()).train()
    points, imgs, metas = small_batch(1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = model.encode(points, imgs, None, metas)
    assert out.lidar_bev.dtype == torch.float32
    out.fused_bev.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    'part,change,message',
    [
        ('img_neck', None, 'missing: img_neck'),
        ('voxelize_cfg', None, 'needs voxelize_cfg'),
        ('fusion_layer', None, 'fusion_layer joins two modalities'),
        ('pts_neck', None, 'pts_neck is missing'),
        ('voxelize_cfg', dict(voxel_sizes=1), "got .*'voxel_sizes'"),
        ('voxelize_cfg', dict(max_voxels=[10]), 'training, evaluation'),
        ('voxelize_cfg', dict(voxel_size=[0.3, 0.4, 0.5]), 'no whole number of voxels'),
        ('voxelize_cfg', dict(voxel_size=[0.2, 0.2, 0.5]), r'sparse_shape \[64, 64, 17\] does not fit'),
        ('view_transform', dict(xbound=[-12.8, 12.8, 1.6]), 'BEV grids differ'),
        ('view_transform', dict(ybound=[-25.6, 25.6, 1.6]), 'ybound covers -25.6 to 25.6'),
        ('view_transform', dict(in_channels=8), r'view_transform.in_channels: expected 16'),
        ('fusion_layer', dict(in_channels=[16, 6]), r'expected \[6, 16\], got \[16, 6\]'),
        ('pts_backbone', dict(in_channels=20), 'pts_backbone.in_channels: expected 16'),
        ('pts_backbone', dict(layer_strides=[1, 3]), 'divisible by 3'),
    ],
)
def test_inconsistent_configurations_are_explained(part, change, message):
    config = small_config()
    config[part] = None if change is None else {**config[part], **change}
    with pytest.raises(ValueError, match=message):
        Encoder(**config)


def test_a_batch_without_points_gives_zeros_that_hang_on_every_parameter():
    model = Encoder(**small_config()).train()
    points, _, _ = small_batch(1)
    for clouds in ([points[0] + 100], [points[0][:0]], [points[0][:1] * 0.1]):  # the last has one voxel
        bev = model.extract_lidar(clouds)
        assert bev.shape == model.extract_lidar(points).shape and not bev.any()
        bev.sum().backward()
        assert all(p.grad is not None and not p.grad.any() for p in model.pts_middle_encoder.parameters())


def test_bad_inputs_are_explained():
    model = Encoder(**small_config())
    points, imgs, metas = small_batch(1)
    with pytest.raises(ValueError, match='imgs=NoneType'):
        model.encode(points, None, None, metas)
    with pytest.raises(ValueError, match=r'\(H, W\) = \(64, 96\)'):
        model.encode(points, imgs[..., :64], None, metas)
    with pytest.raises(ValueError, match='got no "points"'):
        model.encode(None, imgs, points, metas)


def nuscenes_frame(folder):
    """Points, normalised images of 256 x 704 and camera matrices of the real keyframe."""
    info = pickle.loads(next(folder.glob('*.pkl')).read_bytes())['data_list'][0]
    points = np.fromfile(folder / info['lidar_points']['lidar_path'], dtype=np.float32).reshape(-1, 5)
    from PIL import Image

    img_aug = np.eye(4)
    img_aug[0, 0] = img_aug[1, 1] = 0.48
    img_aug[:2, 3] = [-32, -176]
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    imgs, meta = [], {key: [] for key in ('lidar2img', 'cam2img', 'cam2lidar', 'img_aug_matrix')}
    for camera in info['images'].values():
        image = Image.open(folder / camera['img_path']).resize((768, 432)).crop((32, 176, 736, 432))
        imgs.append(torch.from_numpy((np.asarray(image) - mean) / std).permute(2, 0, 1).float())
        cam2img = np.eye(4)
        cam2img[:3, :3] = camera['cam2img']
        meta['cam2img'].append(cam2img)
        meta['lidar2img'].append(cam2img @ np.array(camera['lidar2cam']))
        meta['cam2lidar'].append(np.linalg.inv(camera['lidar2cam']))
        meta['img_aug_matrix'].append(img_aug)
    return [torch.from_numpy(points)], torch.stack(imgs)[None], [meta]


@pytest.mark.slow
def test_full_size_on_the_real_nuscenes_frame(real_data, repo_root, capsys):
    points, imgs, metas = nuscenes_frame(real_data / 'nuscenes_frame')
    model = Encoder(**paper_config(repo_root)).train()
    start = time.perf_counter()
    out = model.encode(points, imgs, None, metas)
    forward = time.perf_counter() - start
    shapes = [tuple(bev.shape) for bev in (out.lidar_bev, out.camera_bev, out.fused_bev)]
    assert shapes == [(1, 256, 180, 180), (1, 80, 180, 180), (1, 512, 180, 180)]
    out.fused_bev.square().mean().backward()
    total = time.perf_counter() - start
    assert not [n for n, p in model.named_parameters() if p.requires_grad and not p.grad.isfinite().all()]
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with capsys.disabled():
        print(f'\nfull size: forward {forward:.1f} s, with backward {total:.1f} s, peak RSS {peak_gib:.1f} GiB')
    assert peak_gib < 20


def test_depth_images_of_the_real_frame_are_plausible(real_data, repo_root):
    """Every camera sees some thousand points between 1 m and 110 m, and the road fills the lower half."""
    points, _, metas = nuscenes_frame(real_data / 'nuscenes_frame')
    from projects.CLAP.clap.encoders.camera_matrices import camera_matrices
    from projects.CLAP.clap.encoders.view_transform import CLAPDepthLSSTransform

    config = paper_config(repo_root)['view_transform']
    config.pop('type')
    maps = CLAPDepthLSSTransform(**config).depth_maps(points, camera_matrices(metas, 6))[0, :, 0]
    hits = (maps > 0).flatten(1).sum(1)
    assert (hits > 1500).all() and (hits < 10000).all(), hits
    assert maps[maps > 0].min() > 0.5 and maps.max() < 120
    lower = torch.stack([m[192:][m[192:] > 0].median() for m in maps])
    upper = torch.stack([m[:64][m[:64] > 0].median() for m in maps])
    assert (lower < upper).all()
