"""Every link of EQUATIONS.md leads somewhere."""

from __future__ import annotations

import ast
import importlib
import re
from functools import reduce
from inspect import signature
from pathlib import Path

import pytest
from mmengine.config import Config

from projects.CLAP.clap.engine.config.check import find_class
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.pretrain.samplers import CurvatureRaySampler

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'projects' / 'CLAP' / 'EQUATIONS.md'


def rows() -> list:
    table = [line for line in PAGE.read_text().split('\n## ')[0].splitlines() if line.startswith('|')][2:]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in table]


def quoted(cell: str) -> list:
    return re.findall(r'`([^`]+)`', cell)


def test_every_equation_of_the_paper_is_listed_once() -> None:
    listed = [row[0] for row in rows() if row[0].isdigit()]
    assert listed == [str(n) for n in range(1, 19)]


@pytest.mark.parametrize('row', rows(), ids=lambda row: f'{row[0]} {row[1]}')
def test_code_test_and_configuration_exist(row: list) -> None:
    equation, _, code, test, keys = row
    assert quoted(code) and quoted(test)
    for name in quoted(code):
        package, *parts = name.split('.')
        found = importlib.import_module(f'projects.CLAP.clap.{package}')
        for part in parts:
            found = getattr(found, part)
        if equation.isdigit():
            named = re.search(rf'Eqs?\. [\d, and-]*{_range(equation)}', found.__doc__)
            assert named, f'{name} must name Eq. {equation}'
    for reference in quoted(test):
        path, _, function = reference.partition('::')
        tree = ast.parse((ROOT / path).read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not function or function in names, reference
    cfg = Config.fromfile(str(ROOT / 'projects' / 'CLAP' / 'configs' / 'clap_nus.py'))
    for key in quoted(keys):
        node = cfg
        for part in key.split('.'):
            assert part in node, f'clap_nus.py has no {key}'
            node = node[part]


def _range(equation: str) -> str:
    """The number itself, or a range "5-10" that holds it."""
    n = int(equation)
    ranges = '|'.join(f'{a}-{b}' for a in range(1, n + 1) for b in range(n, 19) if a < b)
    return rf'(?:\b{n}\b|{ranges})' if ranges else rf'\b{n}\b'


def settings() -> list:
    """Rows of the last table: key, the paper, clap_nus.py and the arm ``clap`` of the two comparisons."""
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in PAGE.read_text().splitlines()[-19:]]


@pytest.fixture(scope='module')
def configurations() -> list:
    folder = ROOT / 'projects' / 'CLAP' / 'configs'

    def arm(plan: str) -> Config:
        clap = Config.fromfile(str(folder / 'comparison' / f'{plan}.py')).pretrain.clap
        return load_config(str(folder / 'comparison' / clap.config), clap.options)

    return [load_config(str(folder / 'clap_nus.py')), arm('sim'), arm('pandaset')]


def default(cls: type, name: str) -> object:
    """Of an argument that a class takes itself or hands on to a parent."""
    own = [signature(parent.__init__).parameters for parent in cls.__mro__ if '__init__' in vars(parent)]
    return next(parameters[name].default for parameters in own if name in parameters)


@pytest.mark.parametrize('row', settings(), ids=lambda row: row[0])
def test_the_table_of_settings_is_that_of_the_configurations(row: list, configurations: list) -> None:
    (key,) = quoted(row[0])
    for cfg, told in zip(configurations, row[2:]):
        *parents, last = key.split('.')
        node = reduce(lambda inner, part: inner[part], parents, cfg)
        value = node[last] if last in node else default(find_class(node.type), last)
        assert value == ast.literal_eval(told)


def test_the_paper_configuration_holds_the_papers_numbers() -> None:
    """Section 4.1 and supplement 1, number by number."""
    cfg = Config.fromfile(str(ROOT / 'projects' / 'CLAP' / 'configs' / 'clap_nus.py'))
    model, sampler, render, proto = cfg.model, cfg.model.ray_sampler, cfg.model.render_head, cfg.model.prototype_head
    assert (proto.lidar_channels, proto.camera_channels) == (256, 80)
    assert (render.in_channels, proto.embed_channels) == (512, 128)
    assert (sampler.num_lidar_rays, sampler.num_camera_rays) == (8192, 1024)
    # Eq. 12 and nothing more, whatever the class' defaults are. Built as it is trained.
    built = CurvatureRaySampler(**{key: value for key, value in sampler.items() if key != 'type'})
    assert (built.mode, built.power, built.smoothing) == ('jacobian', 1.0, 0)
    assert (built.uniform_share, built.importance) == (0.0, 0.0)
    assert render.num_samples + render.num_upsamples == 96
    assert (proto.num_prototypes, proto.sinkhorn_iters, proto.temperature) == (512, 3, 1.0)
    assert (render.loss_weight, proto.loss_weight, render.surface_weight, render.rgb_weight) == (2.0, 1.0, 0.05, 0.05)
    assert (proto.swav_weight, proto.em_weight, proto.gram_weight) == (1.0, 0.1, 0.1)
    assert (model.masking.point_ratio, model.masking.image_ratio) == (0.9, 0.9)
    assert cfg.optim_wrapper.optimizer.lr == 5e-5
    assert cfg.default_hooks.warmup == dict(type='SamplingWarmupHook', warmup_epochs=4)
    assert cfg.param_scheduler[0].type == 'CosineAnnealingLR'


@pytest.mark.parametrize(
    'name,own', [('nus', dict(rgb_weight=10.0)), ('pandaset', dict(swav_weight=0.5)), ('sim', dict(swav_weight=0.5))]
)
def test_recommended_configurations_agree(name: str, own: dict) -> None:
    """Masking, SDF terms, sampler and prototypes; weights of colour and of Eq. 16 follow size and length of a run."""
    folder = ROOT / 'projects' / 'CLAP' / 'configs'
    path = folder / f'clap_{name}_recommended.py'
    model = load_config(str(path if path.is_file() else folder / f'clap_{name}.py')).model
    proto = dict(normalization='cells', cells='occupied', batch_norm=True, temperature=0.3)
    found = dict(own, **proto, near_surface_weight=1.0, free_space_weight=0.2, truncation_m=1.0, point_ratio=0.5)
    found.update(image_ratio=0.5, mode='secant', scale_m=0.4, power=2.0, uniform_share=0.15, importance=0.75)
    parts = (model.masking, model.render_head, model.ray_sampler, model.prototype_head)
    assert {key: part[key] for part in parts for key in found if key in part} == found
    paper = load_config(str(folder / 'clap_nus.py')).model
    changed = {
        key
        for part, options in model.items()
        if isinstance(options, dict)
        for key, value in options.items()
        if paper[part].get(key) != value
    }
    assert name != 'nus' or changed <= set(found), 'the rest is the paper\'s'
