"""CluRender on single objects: backbones, a step, what is compared with, resume."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper

from projects.CLAP.clap.analysis.method_benchmark import benchmark_methods
from projects.CLAP.clap.datasets.objects import CLAPObjectDataset
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.errors import ConfigError, NonFiniteLossError
from projects.CLAP.clap.findings import BAD, GOOD
from projects.CLAP.clap.pretrain.objects import CLAPDGCNN, CLAPPointNet
from projects.CLAP.clap.pretrain.objects.object_clurender import SETTLING_STEPS
from projects.CLAP.doctor.data import check_config_data
from tests.fixtures.killed_runs import assert_same_run, curve
from tests.fixtures.method_run import ROOT, run
from tests.fixtures.objects import write
from tests.fixtures.ranks import assert_ranks_equal_one

BACKBONES = [
    dict(type='CLAPPointNet', channels=[8, 8, 16]),
    dict(type='CLAPDGCNN', channels=[8, 8], whole_channels=16, num_neighbours=5),
]


@pytest.mark.parametrize('backbone', BACKBONES, ids=lambda cfg: cfg['type'])
def test_order_of_points_does_not_matter(backbone: dict) -> None:
    network, points = MODELS.build(backbone).eval(), torch.randn(2, 40, 3)
    shuffled = torch.randperm(40)
    features, whole = network(points)
    assert features.shape == (2, 40, network.point_channels) and whole.shape == (2, 16)
    other, same = network(points[:, shuffled])
    torch.testing.assert_close(same, whole)
    torch.testing.assert_close(other, features[:, shuffled])
    torch.testing.assert_close(network(points[1:])[1], whole[1:])


def test_edges_equal_the_paper_s_layer() -> None:
    """max_j relu(norm(W [x_j - x_i, x_i])) over the k nearest, edge by edge."""
    edge = CLAPDGCNN(channels=[6], num_neighbours=4).edges[0].eval()
    points = torch.randn(1, 12, 3)
    weight = torch.cat([edge.there.weight, edge.here.weight], 1)
    for i in range(12):
        near = (points[0] - points[0, i]).norm(dim=1).argsort()[:4]
        assert near[0] == i, 'the nearest, not the farthest'
        rows = torch.cat([points[0, near] - points[0, i], points[0, i].expand(4, 3)], 1) @ weight.t()
        torch.testing.assert_close(edge(points)[0, i], edge.relu(edge.norm(rows)).amax(0), atol=1e-5, rtol=1e-4)
    assert CLAPDGCNN(channels=[6], num_neighbours=20)(torch.randn(2, 5, 3))[0].shape[1] == 5, 'fewer points than k'


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match='channels'):
        CLAPPointNet(channels=[8])
    with pytest.raises(ConfigError, match='num_neighbours'):
        CLAPDGCNN(num_neighbours=0)


def build(backbone: int = 0, **overrides: object) -> torch.nn.Module:
    cfg = dict(
        type='ObjectCluRender',
        data_preprocessor=dict(type='mmengine.BaseDataPreprocessor'),
        backbone=BACKBONES[backbone],
        cluster_head=dict(type='ClusterHead', num_clusters=6),
        splat_head=dict(type='SplatHead', radius_px=1.5, sigma_px=1.0, num_pixels=64, num_projections=8),
        num_views=2,
    )
    torch.manual_seed(0)
    return MODELS.build({**cfg, **overrides}).train()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    objects = CLAPObjectDataset(str(write(tmp_path, monkeypatch)), '', ('train', 'test'), 100)
    return pseudo_collate([objects[index] for index in (0, 1, 4)])


def losses_of(model: torch.nn.Module, data: dict, seed: int = 0) -> dict:
    model.set_step_seed(seed)
    return model(**model.data_preprocessor(copy.deepcopy(data), True), mode='loss')


def total(losses: dict) -> torch.Tensor:
    return sum(value for name, value in losses.items() if 'loss' in name)


@pytest.mark.parametrize('backbone', [0, 1])
@pytest.mark.parametrize('without', ['', 'cluster_head', 'splat_head'])
def test_a_step_reaches_all_but_the_untrained(data: dict, backbone: int, without: str) -> None:
    model = build(backbone, **{without: None} if without else {})
    losses = losses_of(model, data)
    assert ('loss_cluster' in losses) == (without != 'cluster_head')
    assert ('loss_render' in losses) == (without != 'splat_head')
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith('untrained.'), name


def predicted(model: torch.nn.Module, data: dict) -> list:
    model.eval()
    samples = model(**model.data_preprocessor(copy.deepcopy(data), False), mode='predict')
    model.train()
    return samples


def colour_error(sample: object) -> float:
    return sample.figures['rgb_error'][0] / sample.figures['rgb_error'][1]


def test_objects_are_learned_and_the_untrained_stays(data: dict) -> None:
    model = build()
    start = copy.deepcopy(model.untrained.state_dict())
    optim = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 5e-3)
    before, values = colour_error(predicted(model, data)[0]), []
    for step in range(40):
        losses = losses_of(model, data, step)
        values.append({name: float(value.detach()) for name, value in losses.items()})
        optim.zero_grad()
        total(losses).backward()
        optim.step()
    assert values[-1]['loss_cluster'] < 0.7 * values[0]['loss_cluster']
    for name, value in model.untrained.state_dict().items():
        settled = 'running' in name or 'num_batches' in name
        assert settled or torch.equal(value, start[name]), name
    assert int(model.untrained.near[0][1].num_batches_tracked) == SETTLING_STEPS
    samples = predicted(model, data)
    assert colour_error(samples[0]) < 0.75 * before
    assert [sample.split for sample in samples] == ['test', 'train', 'train']
    colours = {f'rgb_{name}{of}' for name in ('distance', 'error') for of in ('', '_of_mean_colour')}
    assert set(samples[0].figures) == {'clusters_used', *colours}
    assert samples[1].figures == {} and samples[0].features.shape == samples[0].untrained_features.shape == (16,)
    assert not torch.equal(samples[0].features, samples[0].untrained_features)
    assert {rule.title for rule in model.declare(model.facts()).rules} >= {'Clusters in use (perplexity)'}


def test_ranks_equal_one(data: dict, tmp_path: Path) -> None:
    four = dict(inputs={key: [*values, values[0]] for key, values in data['inputs'].items()})
    four['data_samples'] = [*data['data_samples'], data['data_samples'][0]]
    assert_ranks_equal_one(build, four, tmp_path)


def test_nan_never_reaches_the_weights(data: dict) -> None:
    model, cfg = build(), load_config(str(ROOT / 'projects/CLAP/configs/clurender_objects.py'), [])
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    data['inputs']['points'][0][0] = float('nan')
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    model.set_step_seed(0)
    with pytest.raises(NonFiniteLossError):
        model.train_step(data, optim_wrapper)
    assert all(torch.equal(value, before[key]) for key, value in model.named_parameters())


def test_the_doctor_reads_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, monkeypatch)
    cfg = short_config(folder, tmp_path)
    (found,) = check_config_data(cfg)
    assert found.level == GOOD and 'objects of' in found.verdict, found
    next(folder.glob('*/train/*.off')).write_text('OFF\n3')
    (found,) = check_config_data(cfg)
    assert found.level == BAD and 'copy it again' in found.verdict, found


def test_the_benchmark_takes_it(data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = short_config(write(tmp_path / 'objects', monkeypatch), tmp_path)
    (figures,) = benchmark_methods(dict(objects=cfg), 1, 0, torch.device('cpu'))
    assert figures['model'] == 'ObjectCluRender' and figures['step_s'] > 0


def short_config(folder: Path, work: Path, resume: bool = False) -> Config:
    """Two steps of two objects, a checkpoint after each, then the SVM."""
    cfg = load_config(str(ROOT / 'projects/CLAP/configs/clurender_objects.py'), [], str(work))
    cfg.model.update(backbone=BACKBONES[0])
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(folder), num_points=100)
    cfg.test_dataloader = cfg.val_dataloader
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=1)
    cfg.default_hooks.logger.interval = 1
    cfg.custom_hooks = [dict(type='LossCurve')]
    cfg.resume = resume
    return cfg


def test_killed_and_resumed_it_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, works = write(tmp_path / 'objects', monkeypatch), [tmp_path / name for name in ('whole', 'killed')]
    printed = run(partial(short_config, folder, works[0]), works[0])
    assert len(curve(works[0])) == 2 and 'svm/accuracy' in printed
    run(partial(short_config, folder, works[1]), works[1], kill_after=1)
    assert len(curve(works[1])) == 1
    run(partial(short_config, folder, works[1], resume=True), works[1])
    assert_same_run(*works)


def test_what_cannot_be_trained_is_said(data: dict) -> None:
    with pytest.raises(ConfigError, match='cluster_head, splat_head or both'):
        build(cluster_head=None, splat_head=None)
    with pytest.raises(ConfigError, match='num_views'):
        build(num_views=0)
    for key in ('images', 'cam2img', 'world2cam'):
        del data['inputs'][key]
    with pytest.raises(ConfigError, match='splat_head=None'):
        losses_of(build(), data)
    assert 'loss_cluster' in losses_of(build(splat_head=None), data)
