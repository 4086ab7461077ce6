"""The promises that hold for every pre-training method, on the same few simulated frames.

Methods are found, not listed: one without a ``NAME_sim.py`` fails.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Callable, Iterator

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from projects.CLAP.clap.analysis import probe as probe_module
from projects.CLAP.clap.analysis.method_benchmark import benchmark_methods
from projects.CLAP.clap.encoders.encoder_base import ENCODERS
from projects.CLAP.clap.engine.checkpoint.export import export_encoders
from projects.CLAP.clap.engine.checkpoint.read import load_checkpoint_file
from projects.CLAP.clap.errors import NonFiniteLossError
from projects.CLAP.clap.findings import BAD, GOOD
from projects.CLAP.clap.report import write_report
from projects.CLAP.clap.report.health import declared
from projects.CLAP.doctor.one_step import check_step
from tests.fixtures.killed_runs import assert_same_run, curve
from tests.fixtures.method_run import ROOT, STEPS, preparations, registered_methods, short_config, sim_configs, train
from tests.fixtures.sim_dataset import tiny_dataset

CONFIGS = sim_configs()
#: A run of CLAP, and of what is a configuration of it, is killed in test_kill_and_resume.py, too.
RUNS = [pytest.param(name, marks=pytest.mark.slow if kind == 'CLAP' else ()) for name, kind in CONFIGS.items()]


def test_every_method_has_a_configuration_for_the_simulated_world() -> None:
    assert set(registered_methods()) <= set(CONFIGS.values())
    assert {kind for kind in CONFIGS.values()} <= set(registered_methods()), 'of a method that is not registered'


@pytest.fixture(autouse=True, scope='module')
def _prepared() -> Iterator[None]:
    """What configurations want made of their data before they train."""
    spec = importlib.util.spec_from_file_location('_create_data', ROOT / 'tools' / 'create_data.py')
    create_data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(create_data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('CLAP_DATA_ROOT', str(tiny_dataset().parent))
        for words in {tuple(words) for name in CONFIGS for words in preparations(name)}:
            assert create_data.main(list(words)) == 0
        yield


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of a configuration that was left alone; with pictures before and after it."""
    known: dict = {}

    def of(name: str) -> Path:
        if name not in known:
            known[name] = tmp_path_factory.mktemp(name)
            printed = train(name, known[name], pictures=True)
            assert 'Traceback' not in printed, 'a picture failed: ' + printed[-4000:]
            assert len(curve(known[name])) == STEPS
        return known[name]

    return of


@pytest.mark.parametrize('name', RUNS)
def test_killed_and_resumed_it_is_the_same_run(name: str, whole_run: Callable, tmp_path: Path) -> None:
    whole = whole_run(name)
    train(name, tmp_path / 'killed', kill_after=1)
    assert len(curve(tmp_path / 'killed')) < STEPS
    printed = train(name, tmp_path / 'killed', resume=True)
    assert 'going on with batch' in printed
    assert_same_run(whole, tmp_path / 'killed')


@pytest.mark.parametrize('name', RUNS)
def test_its_encoders_are_exported_and_probed(
    name: str, whole_run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = whole_run(name) / f'iter_{STEPS}.pth'
    export_encoders(str(checkpoint), str(tmp_path / 'encoders.pth'))
    exported = torch.load(tmp_path / 'encoders.pth', weights_only=True)['state_dict']
    trained = load_checkpoint_file(str(checkpoint), 'cpu')['state_dict']
    assert exported and {key.split('.')[0] for key in exported} <= set(ENCODERS)
    assert all(torch.equal(value, trained[key]) for key, value in exported.items())
    monkeypatch.setattr(probe_module, '_STEPS', 5)
    figures = probe_module.probe(short_config(name, tmp_path), str(checkpoint), labels=1, seeds=1)
    assert all(0 <= figures['miou'][start][0] <= 100 for start in probe_module.STARTS)


@pytest.mark.parametrize('name', RUNS)
def test_doctor_report_and_benchmark_know_it(name: str, whole_run: Callable, tmp_path: Path) -> None:
    """What it declares it logs, so that every rule is judged and every chart has a curve."""
    assert {found.level for found in check_step(short_config(name, tmp_path))} == {GOOD}
    run = write_report(whole_run(name), tmp_path / 'report.html')
    logged, page = {*run.train, *run.evaluation}, (tmp_path / 'report.html').read_text()
    rules = [rule for rule in declared(run).rules if not rule.measure]
    assert rules and all(rule.title in page for rule in rules)
    missing = [rule.title for rule in rules if not {*rule.scalars, rule.over or rule.scalars[0]} <= logged]
    missing += [chart.title for chart in declared(run).charts if not {*chart.scalars} & logged]
    assert not missing
    (figures,) = benchmark_methods({name: short_config(name, tmp_path)}, 1, 0, torch.device('cpu'))
    assert figures['step_s'] > 0 and figures['model'] == CONFIGS[name]


def test_the_doctor_names_losses_that_are_not_finite(tmp_path: Path) -> None:
    cfg = short_config(next(name for name, kind in CONFIGS.items() if kind == 'ALSO'), tmp_path)
    cfg.model.intensity_weight = float('inf')
    (found,) = check_step(cfg)
    assert found.level == BAD and 'loss_intensity' in found.verdict and 'override' in found.remedy


@pytest.mark.parametrize('name', CONFIGS)
def test_nan_never_reaches_the_weights(name: str, tmp_path: Path) -> None:
    """Of the input, past all checks of data. Batch norm sees it before the loss does; a run ends with the error."""
    cfg = short_config(name, tmp_path)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
    batch['inputs']['points'][0][:, 3] = float('nan')
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    model.set_step_seed(0)
    with pytest.raises(NonFiniteLossError):
        model.train_step(batch, optim_wrapper)
    assert not [key for key, value in model.named_parameters() if not torch.equal(value, before[key])]
    bad = [key for key, value in model.state_dict().items() if not torch.isfinite(value).all()]
    assert not [key for key in bad if not key.endswith(('running_mean', 'running_var'))]
