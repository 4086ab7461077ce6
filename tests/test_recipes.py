"""Fine-tuning on nuScenes: each value beside upstream's, the schedules as curves, the two stages, an exact resume.

MMDET3D is mmdetection3d 1.4, projects/BEVFusion/configs/bevfusion_{lidar,lidar-cam}_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py;
PCDET is OpenPCDet, tools/cfgs/nuscenes_models/bevfusion.yaml and tools/cfgs/dataset_configs/nuscenes_dataset.yaml.
"""  # noqa: E501

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import DATASETS, MODELS, PARAM_SCHEDULERS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.errors import ConfigError
from tests.fixtures.driving_frames import read_infos, write_dataset, write_infos
from tests.fixtures.killed_runs import after_steps, assert_same_run, curve, finish, kill_when, launch
from tests.fixtures.tiny_detector import build_detector, labelled_batch

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'projects/CLAP/configs'
LIDAR, FUSED, PAPER = (f'finetune/bevfusion_nus_{name}' for name in ('lidar', 'lidar_cam', '5pct'))
NO_CAMERA = dict(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None)


def read(name: str, *options: str) -> Config:
    return load_config(str(CONFIGS / f'{name}.py'), list(options))


@pytest.mark.parametrize(
    'name,key,value',
    [
        # MMDET3D, first stage. CBGSDataset, use_valid_flag, NuScenesDataset's default of filter_empty_gt.
        (LIDAR, 'train_dataloader.dataset.class_balanced', True),
        (LIDAR, 'train_dataloader.dataset.use_valid_flag', True),
        (LIDAR, 'train_dataloader.dataset.filter_empty_gt', True),
        (LIDAR, 'train_dataloader.batch_size', 4),
        (LIDAR, 'train_cfg.max_epochs', 20),
        (LIDAR, 'train_cfg.val_interval', 5),
        (LIDAR, 'optim_wrapper.optimizer.lr', 1e-4),
        (LIDAR, 'optim_wrapper.optimizer.weight_decay', 0.01),
        (LIDAR, 'optim_wrapper.clip_grad.max_norm', 35),
        (LIDAR, 'auto_scale_lr.base_batch_size', 32),
        # MMDET3D, second stage.
        (FUSED, 'train_dataloader.dataset.class_balanced', True),
        (FUSED, 'train_dataloader.dataset.use_valid_flag', True),
        (FUSED, 'train_dataloader.dataset.filter_empty_gt', True),
        (FUSED, 'train_dataloader.batch_size', 4),
        (FUSED, 'train_cfg.max_epochs', 6),
        (FUSED, 'train_cfg.val_interval', 1),
        (FUSED, 'optim_wrapper.optimizer.lr', 2e-4),
        (FUSED, 'optim_wrapper.optimizer.weight_decay', 0.01),
        (FUSED, 'optim_wrapper.clip_grad.max_norm', 35),
        (FUSED, 'auto_scale_lr.base_batch_size', 32),
        (FUSED, 'train_dataloader.dataset.pipeline.image_aug.resize_lim', [0.38, 0.55]),
        (FUSED, 'train_dataloader.dataset.pipeline.image_aug.rot_lim', [-5.4, 5.4]),
        # PCDET: BALANCED_RESAMPLING; FILTER_MIN_POINTS_IN_GT 1 is a LiDAR point; BATCH_SIZE_PER_GPU, LR, WEIGHT_DECAY,
        # GRAD_NORM_CLIP, NUM_EPOCHS.
        (PAPER, 'train_dataloader.dataset.class_balanced', True),
        (PAPER, 'train_dataloader.dataset.use_valid_flag', False),
        (PAPER, 'train_dataloader.dataset.keep_length', True),
        (PAPER, 'train_dataloader.dataset.load_interval', 20),
        (PAPER, 'train_dataloader.batch_size', 3),
        (PAPER, 'optim_wrapper.optimizer.lr', 1e-4),
        (PAPER, 'optim_wrapper.optimizer.weight_decay', 0.01),
        (PAPER, 'optim_wrapper.clip_grad.max_norm', 35),
        (PAPER, 'train_cfg.max_epochs', 6),
        (PAPER, 'auto_scale_lr.base_batch_size', 24),
        # MMDET3D BEVFusionGlobalRotScaleTrans, PCDET random_world_*: the same. Pre-training takes BEVFusion's, too.
        *[
            (name, f'train_dataloader.dataset.pipeline.lidar_aug.{key}', value)
            for name in ('clap_nus', LIDAR, FUSED, PAPER)
            for key, value in (
                ('translation_std', [0.5, 0.5, 0.5]),
                ('scale_ratio_range', [0.9, 1.1]),
                ('rot_range', [-0.78539816, 0.78539816]),
            )
        ],
        # The published comparisons were made without a shift and without balance.
        *[
            (f'finetune/bevfusion_{data}_5pct', key, value)
            for data in ('sim', 'pandaset')
            for key, value in (
                ('train_dataloader.dataset.pipeline.lidar_aug.translation_std', [0.0, 0.0, 0.0]),
                ('train_dataloader.dataset.class_balanced', False),
            )
        ],
    ],
)
def test_a_value_is_upstreams(name: str, key: str, value: object) -> None:
    node = Config.fromfile(str(CONFIGS / f'{name}.py'))
    for part in key.split('.'):
        node = node.get(part, False)
    assert node == value


def test_passes_of_a_share_are_more_than_the_papers_108() -> None:
    """Six epochs of the length of all frames repeat a twentieth of them 120 times."""
    cfg = read(PAPER)
    assert cfg.train_cfg.max_epochs * cfg.train_dataloader.dataset.load_interval == 120 >= 108


def rates(name: str, batches: int = 50, *options: str) -> tuple:
    """Learning rate and beta1 of every iteration, with so many batches an epoch."""
    cfg = read(name, *options)
    wrapper = build_optim_wrapper(torch.nn.Linear(1, 1), cfg.optim_wrapper)
    schedulers = []
    for step in cfg.param_scheduler:
        step, cls = dict(step), PARAM_SCHEDULERS.get(step.type)
        step.pop('type')
        if step.pop('convert_to_iter_based', False):
            step.setdefault('end', cfg.train_cfg.max_epochs)  # as MMEngine's runner does
            schedulers.append(cls.build_iter_from_epoch(wrapper, **step, epoch_length=batches))
        else:
            schedulers.append(cls(wrapper, **step))
    found = []
    for _ in range(cfg.train_cfg.max_epochs * batches):
        group = wrapper.param_groups[0]
        found.append((group['lr'], group['betas'][0]))
        for scheduler in schedulers:
            scheduler.step()
    return tuple(zip(*found))


def cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def cycle(low: float, high: float, last: float, turn: int, total: int) -> list:
    """``low`` to ``high`` until ``turn``, then to ``last``: half a cosine each."""
    up = [cosine(low, high, i / turn) for i in range(turn)]
    return up + [cosine(high, last, i / (total - turn)) for i in range(total - turn)]


def near(a, b, share: float = 1e-3) -> bool:
    return len(a) == len(b) and all(abs(x - y) <= share * max(abs(y), 1e-6) for x, y in zip(a, b))


def test_the_first_stage_is_cyclic() -> None:
    """MMDET3D: 1e-4 up to 1e-3 in 8 epochs, down to 1e-8 in 12; beta1 to 0.85 / 0.95, then to 1."""
    lr, beta = rates(LIDAR)
    assert near(lr, cycle(1e-4, 1e-3, 1e-8, 400, 1000), 1e-2)
    assert near(beta, cycle(0.9, 0.85 / 0.95, 1.0, 400, 1000))
    assert max(beta) < 1, 'at 1 AdamW would divide by zero'


def test_the_second_stage_falls_from_2e_4() -> None:
    """MMDET3D: warm-up from a third in 500 iterations, cosine to 1e-4 of it; beta1 turns after 2.4 of 6 epochs."""
    lr, beta = rates(FUSED, batches=200)
    assert lr[0] == pytest.approx(2e-4 / 3) and lr[-1] < 2e-4 * 2e-4
    assert near(lr[500:], [cosine(2e-4, 2e-8, i / 1200) for i in range(500, 1200)], 1e-2)
    assert near(beta, cycle(0.9, 0.85 / 0.95, 1.0, 480, 1200)) and max(beta) < 1


def test_the_papers_schedule_is_openpcdets() -> None:
    """PCDET: WARMUP_ITER 500, LR 1e-4, MOMS [0.9, 0.8052631], PCT_START 0.4."""
    lr, beta = rates(PAPER, batches=200)
    assert lr[0] == pytest.approx(1e-4 / 3) and max(lr[500:]) < 1e-4
    assert near(lr[500:], [cosine(1e-4, 1e-7, i / 1200) for i in range(500, 1200)], 1e-2)
    assert near(beta, cycle(0.9, 0.8052631, 0.9, 480, 1200))
    lr, beta = rates(PAPER, 200, 'train_cfg.max_epochs=9')  # iterations raised
    assert near(lr[500:], [cosine(1e-4, 1e-7, i / 1800) for i in range(500, 1800)], 1e-2)
    assert near(beta, cycle(0.9, 0.8052631, 0.9, 720, 1800))
    with pytest.raises(ConfigError, match='turn must be a share of the run'):
        rates(PAPER, 200, 'param_scheduler.2.turn=1')


def test_the_lidar_detector_is_the_fused_one_without_cameras() -> None:
    """Its 306 entries are the fused model's of the same name and shape, and all of a pts_ module or of the head."""
    models = []
    for name in (LIDAR, FUSED):
        cfg = read(name).model
        if cfg.img_backbone:
            cfg.img_backbone.init_cfg = None
        models.append(MODELS.build(cfg))
    lidar, fused = (model.state_dict() for model in models)
    assert len(fused) == 582 and len(lidar) == 126 + 72 + 12 + 96
    assert {key.split('.')[0] for key in lidar} == set(read(FUSED).default_hooks.transfer.modules)
    assert all(value.shape == fused[key].shape for key, value in lidar.items())


def test_the_lidar_detector_trains_and_starts_the_fused_one() -> None:
    lidar = build_detector(seed=1, **NO_CAMERA)
    data = labelled_batch()
    data['inputs'].pop('img')
    optim = torch.optim.AdamW([p for p in lidar.parameters() if p.requires_grad], lr=1e-3)
    losses = lidar(**lidar.data_preprocessor(data, training=True), mode='loss')
    total, _ = lidar.parse_losses(losses)
    total.backward()
    assert all(p.grad is not None for p in lidar.parameters() if p.requires_grad)
    optim.step()
    fused = build_detector(seed=2)
    result = fused.load_state_dict(lidar.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert {key.split('.')[0] for key in result.missing_keys} <= set(NO_CAMERA)
    assert all(torch.equal(value, fused.state_dict()[key]) for key, value in lidar.state_dict().items())


def test_the_lidar_pipeline_reads_no_image(tmp_path: Path) -> None:
    write_dataset(tmp_path, 2)
    for image in tmp_path.glob('*.png'):
        image.unlink()
    for name in ('train_dataloader', 'val_dataloader'):
        cfg = read(LIDAR)[name].dataset
        cfg.update(data_root=str(tmp_path), ann_file='infos.pkl', data_prefix=dict(pts='', sweeps=''))
        sample = DATASETS.build(cfg)[0]
        assert 'img' not in sample['inputs'] and len(sample['inputs']['points'])


@pytest.mark.parametrize('wrapper', ['CBGSDataset', 'ClassBalancedDataset'])
def test_a_wrapper_that_drops_seeds_is_refused_with_the_option(tmp_path: Path, wrapper: str) -> None:
    path = tmp_path / 'mine.py'
    extra = ', oversample_thr=0.1' if wrapper == 'ClassBalancedDataset' else ''
    path.write_text(
        f"_base_ = '{CONFIGS / PAPER}.py'\n"
        "inner = dict(type='CLAPDataset', data_root='.', ann_file='infos.pkl')\n"
        f"train_dataloader = dict(dataset=dict(_delete_=True, type='{wrapper}'{extra}, dataset=inner))\n"
    )
    with pytest.raises(ConfigError, match='drops the seed.*class_balanced=True'):
        load_config(str(path))


def test_a_killed_class_balanced_run_goes_on_with_the_same_frames_and_augmentations(tmp_path: Path) -> None:
    frames = tmp_path / 'frames'
    frames.mkdir()
    write_dataset(frames, 6)
    infos = read_infos(frames / 'infos.pkl')
    for index in (4, 5):
        infos[index]['instances'][0].update(bbox_label=1, bbox_label_3d=1)
    write_infos(frames / 'infos.pkl', infos)
    arguments = {
        'by_epoch': False,
        'interval': 2,
        'train_dataloader.dataset.with_annotations': True,
        'train_dataloader.dataset.class_balanced': True,
        'train_dataloader.dataset.metainfo': dict(classes=['car', 'truck']),
        'param_scheduler': [
            dict(type='CyclicMomentum', eta_min=0.8052631, end=2, by_epoch=True, convert_to_iter_based=True),
            dict(type='CosineAnnealingMomentum', eta_min=1, begin=2, end=3, by_epoch=True, convert_to_iter_based=True),
        ],
    }
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    finish(launch(frames, whole, **arguments), whole)
    epochs = [sorted(token for line in curve(whole)[3 * i : 3 * i + 3] for token in line['tokens']) for i in range(3)]
    assert epochs[0] == epochs[1] == epochs[2] and len(set(epochs[0])) < 6, 'drawn once, with replacement'
    assert kill_when(launch(frames, killed, **arguments), after_steps(killed, 4, 0.0))
    assert 'going on with batch' in finish(launch(frames, killed, **arguments), killed)
    assert_same_run(whole, killed)
