"""``tools/doctor.py``: what it says about a sound installation and sound data, and about broken ones."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.doctor import BAD, GOOD, WATCH, Finding, data, hardware, one_step, versions
from projects.CLAP.doctor.findings import guarded, summary
from tests.fixtures.sim_dataset import tiny_dataset

ROOT = Path(__file__).resolve().parents[2]
SIM = 'projects/CLAP/configs/clap_sim.py'


def doctor(*arguments: str, data_root: Path, ok: bool = True) -> dict:
    env = {**os.environ, 'CLAP_DATA_ROOT': str(data_root)}
    done = subprocess.run(
        [sys.executable, 'tools/doctor.py', *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == (0 if ok else 1), done.stdout[-3000:] + done.stderr[-3000:]
    assert 'Traceback' not in done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result['healthy'] == ok
    for finding in result['findings']:
        assert finding['level'] == 'OK' or finding['fix'], finding
    return result


def of(result: dict, check: str) -> list:
    return [f for f in result['findings'] if f['check'] == check]


def test_a_sound_installation_with_sound_data(tmp_path: Path) -> None:
    result = doctor(
        SIM,
        '--pictures',
        str(tmp_path),
        '--cfg-options',
        'model.ray_sampler.num_lidar_rays=64',
        'model.ray_sampler.num_camera_rays=8',
        data_root=tiny_dataset().parent,
    )
    assert {row.name for row in versions.SUPPORTED} <= {f['check'] for f in result['findings']}
    for check in (
        'gpu',
        'machine',
        'mmcv ops',
        'spconv',
        'embree',
        'config',
        'info file',
        'files',
        'calibration',
        'boxes',
        'range',
        'projection',
        'step',
    ):
        assert of(result, check), check
        assert all(f['level'] != 'FAIL' for f in of(result, check))
    stamp, boxes, step = (of(result, check)[0]['message'] for check in ('info file', 'boxes', 'step'))
    assert 'info_version 1.1' in stamp and '3 frames' in stamp and 'MiB' in stamp and 'days old' in stamp
    assert re.search(r'\d+\.\d% of the points lie in \d+ boxes', boxes)
    shares = [float(share) for share in re.findall(r'CAM_\w+ (0\.\d\d)', of(result, 'projection')[0]['message'])]
    assert len(shares) == 6 and all(0.03 < share < 0.4 for share in shares)
    calibration = of(result, 'calibration')
    assert all(f['level'] == 'OK' and '6 cameras upright' in f['message'] for f in calibration)
    for picture in (tmp_path / f'sim_infos_{split}_lidar_on_images.png' for split in ('train', 'val')):
        assert picture.stat().st_size > 50_000 and any(str(picture) in f['message'] for f in calibration)
    assert 'loss_range' in step and 'peak memory' in step


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A CLAP_DATA_ROOT of its own."""
    shutil.copytree(tiny_dataset(), tmp_path / 'sim')
    return tmp_path


def rewrite(root: Path, change) -> None:
    for path in (root / 'sim').glob('*_infos_*.pkl'):
        content = pickle.loads(path.read_bytes())
        path.write_bytes(pickle.dumps(change(content) or content))


def config_findings(root: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    from projects.CLAP.clap.engine.config.load import load_config

    monkeypatch.setenv('CLAP_DATA_ROOT', str(root))
    return data.check_config_data(load_config(str(ROOT / SIM)))


def test_a_flipped_yaw_fails_the_command(copy: Path) -> None:
    def flip(content: dict) -> None:
        for frame in content['data_list']:
            for box in frame['instances']:
                box['bbox_3d'][6] = -box['bbox_3d'][6] - 3.141592653589793 / 2

    rewrite(copy, flip)
    result = doctor(SIM, '--no-step', data_root=copy, ok=False)
    assert any(f['level'] == 'FAIL' and 'another convention' in f['message'] for f in of(result, 'boxes'))
    assert not of(result, 'step')


def test_broken_data_are_named_with_the_fix(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = next((copy / 'sim' / 'samples' / 'LIDAR_TOP').glob('*.bin'))
    whole = sweep.read_bytes()
    sweep.write_bytes(whole[:-3])
    (bad,) = [f for f in config_findings(copy, monkeypatch) if f.level == BAD]
    assert bad.title == 'frames' and sweep.name in bad.verdict and 'create_data.py' in bad.remedy
    sweep.write_bytes(whole)

    def blind(content: dict) -> None:
        for frame in content['data_list']:
            frame['images']['CAM_BACK']['lidar2cam'][2][3] = -1e4

    rewrite(copy, blind)
    findings = config_findings(copy, monkeypatch)
    assert [f.title for f in findings if f.level == BAD] == ['calibration'] * 2
    assert all(
        'CAM_BACK: lidar2cam puts the camera' in f.verdict and 'millimetres' in f.remedy
        for f in findings
        if f.level == BAD
    )
    assert all('CAM_BACK' in f.remedy and 'lidar2cam' in f.remedy for f in findings if f.level == WATCH)
    assert [f.title for f in findings if f.level == WATCH] == ['projection'] * 2

    rewrite(copy, lambda content: dict(infos=content['data_list'], metadata=dict(version='v1.0')))
    for finding in config_findings(copy, monkeypatch):
        assert finding.level == BAD and 'old format' in finding.verdict
        assert f'create_data.py sim --out {copy}/sim' in finding.remedy


def test_an_info_file_older_than_its_data(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (copy / 'sim').glob('*_infos_*.pkl'):
        os.utime(path, (1e9, 1e9))
    findings = [f for f in config_findings(copy, monkeypatch) if f.level == WATCH]
    assert len(findings) == 2 and all(
        'is older than' in f.verdict and 'create_data.py sim' in f.remedy for f in findings
    )


def test_a_cylindrical_grid_is_measured_in_its_own_axes(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of points taken for x, y and z few would lie in it: beside and behind the sensor is out of its numbers."""
    monkeypatch.setenv('CLAP_DATA_ROOT', str(copy))
    places = 'point_cloud_range=[0,-3.14159265,-5,54,3.14159265,3]'
    options = ['model.grid=cylinder', f'model.voxelize_cfg.{places}']
    options += [f'{name}_dataloader.dataset.pipeline.point_range=None' for name in ('train', 'val', 'test')]
    cfg = load_config('projects/CLAP/configs/finetune/segmentor_sim.py', options)
    node = cfg.train_dataloader.dataset
    findings = data.check_frames(cfg, 'train_dataloader', node, str(copy / 'sim' / node.ann_file))
    (found,) = [f for f in findings if f.title == 'range']
    assert found.level == GOOD and int(re.search(r'(\d+)% of the points', found.verdict)[1]) > 90


def tmp_data(copy: Path) -> Path:
    """A root whose data lie one level deeper, as the quick start leaves them."""
    shutil.copytree(tiny_dataset(), copy / 'root' / 'quickstart' / 'sim')
    return copy / 'root'


def test_the_json_is_for_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from tools import doctor as command

    monkeypatch.setattr(command, 'sections', lambda args: iter([[Finding(GOOD, 'x', 'y')]]))
    for terminal, options, last in ((False, [], '{'), (True, [], '1 ok'), (True, ['--json'], '{')):
        monkeypatch.setattr(sys.stdout, 'isatty', lambda terminal=terminal: terminal)
        assert command.main(options) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith(last)


def test_without_a_configuration_the_data_root_is_looked_at(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CLAP_DATA_ROOT', str(copy))
    assert [f.level for f in data.check_root()] == [GOOD, GOOD]
    for path in (copy / 'sim').glob('*_infos_*.pkl'):
        path.unlink()
    (finding,) = data.check_root()
    assert finding.level == WATCH and f'create_data.py sim --out {copy}/sim' in finding.remedy
    monkeypatch.setenv('CLAP_DATA_ROOT', str(tmp_data(copy)))
    (finding,) = data.check_root()
    assert finding.level == WATCH and finding.remedy == f'export CLAP_DATA_ROOT={copy}/root/quickstart'
    monkeypatch.setenv('CLAP_DATA_ROOT', str(copy / 'nowhere'))
    (finding,) = data.check_root()
    assert 'CLAP_DATA_ROOT' in finding.remedy


def test_versions_are_judged_by_the_table() -> None:
    rows = {row.name: row for row in versions.SUPPORTED}
    assert versions.check_row(rows['torch'], ('torch', '2.13.0+cpu')).level == GOOD
    assert 'tests run on' in versions.check_row(rows['torch'], ('torch', '2.1.2')).verdict
    old = versions.check_row(rows['torch'], ('torch', '1.13.1'))
    assert old.level == BAD and 'torch==2.13.0' in old.remedy
    assert versions.check_row(rows['mmcv'], ('mmcv', '2.2.0')).level == BAD
    assert versions.check_row(rows['mmcv'], None).level == BAD
    assert 'no compiled ops' in versions.check_row(rows['mmcv'], ('mmcv-lite', '2.1.0')).verdict
    assert versions.check_row(rows['embreex'], None).level == WATCH
    assert 'spconv-cu118' in versions.check_row(rows['spconv'], ('spconv-cu118', '2.3.6')).verdict
    assert versions.as_numbers('2.10.0rc1') > versions.as_numbers('2.9')


def test_the_tables_are_the_requirements_and_the_document() -> None:
    pins = {}
    for name in ('mminstall', 'runtime'):
        for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
            if '==' in line and not line.startswith('#'):
                package, version = line.split('==')
                pins[package] = version
    for row in versions.SUPPORTED:
        if row.name in pins:
            assert pins[row.name] == row.tested, row.name
    document = (ROOT / 'docs' / 'installation.md').read_text()
    assert versions.markdown_table() in document and versions.builds_table() in document


def test_every_build_is_supported() -> None:
    rows = {row.name: row for row in versions.SUPPORTED}
    assert {'cpu', 'cuda118', 'cuda121', 'cuda124'} == set(versions.BUILDS)
    for name, build in versions.BUILDS.items():
        assert build.mmcv in ('wheel', 'compiled')
        assert versions.check_row(rows['torch'], ('torch', build.torch)).level == GOOD
        for version in build.python.split('-'):
            assert versions.check_row(rows['python'], ('python', version)).level == GOOD
        package, version = build.spconv.split('==')
        assert package in rows['spconv'].distributions
        assert package == name.replace('cuda', 'spconv-cu').replace('cpu', 'spconv')
        assert versions.check_row(rows['spconv'], (package, version)).level == GOOD


def test_wrong_results_of_compiled_operators_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    import mmcv.ops
    import torch

    monkeypatch.setattr(mmcv.ops, 'nms', lambda boxes, scores, iou_threshold: (None, torch.tensor([0, 1, 2])))
    assert [f.level for f in hardware.check_mmcv_ops()][0] == BAD
    from projects.CLAP.clap.encoders import sparse_conv

    monkeypatch.setattr(sparse_conv, '_apply_pairs', lambda features, weight, pairs, num: features.new_ones(num, 5))
    assert [f.level for f in hardware.check_spconv()][0] == BAD


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    from mmengine.config import Config

    model = dict(img_backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='https://example.org/swin.pth')))
    (remote,) = one_step.check_weights(Config(dict(model=model)))
    assert remote.level == WATCH and '--cfg-options model.img_backbone.init_cfg=None' in remote.remedy
    (local,) = one_step.check_weights(Config(dict(model=dict(), load_from=str(tmp_path / 'no.pth'))))
    assert local.level == BAD and 'load_from' in local.remedy


def test_fetched_weights_are_looked_for_where_torch_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmengine.config import Config

    monkeypatch.delenv('TORCH_HOME', raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    kept = tmp_path / 'torch' / 'hub' / 'checkpoints' / 'swin.pth'
    kept.parent.mkdir(parents=True)
    kept.touch()
    (found,) = one_step.check_weights(Config(dict(model=dict(), load_from='https://example.org/swin.pth')))
    assert found.level == GOOD and 'is in the cache' in found.verdict


def test_an_exception_is_a_finding_and_levels_are_counted() -> None:
    def broken() -> list:
        raise ImportError('libfoo.so.1: no such file')

    (failed,) = guarded('mmcv ops', 'install it', broken)
    assert failed.level == BAD and 'libfoo' in failed.verdict
    result = summary([failed, Finding(GOOD, 'x', 'y'), Finding(WATCH, 'x', 'y', 'z')])
    assert (result['ok'], result['warn'], result['fail'], result['healthy']) == (1, 1, 1, False)
    with pytest.raises(AssertionError, match='without a remedy'):
        Finding(WATCH, 'x', 'y')


def test_it_works_where_nothing_is_installed(tmp_path: Path) -> None:
    """A bare interpreter (no site-packages) gets the whole report, not a traceback."""
    done = subprocess.run(
        [sys.executable, '-I', '-S', 'tools/doctor.py'], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and 'Traceback' not in done.stderr, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert {f['check'] for f in result['findings'] if f['level'] == 'FAIL'} >= {'torch', 'mmcv', 'mmdet3d', 'spconv'}
    assert all('setup_env.sh' in f['fix'] for f in result['findings'] if f['level'] == 'FAIL')


def test_it_works_where_the_package_cannot_be_imported(tmp_path: Path) -> None:
    """An installed mmcv that cannot be loaded is a finding, not the end of the report."""
    (tmp_path / 'mmcv.py').write_text("raise ImportError('libcudart.so: no such file')")
    env = {**os.environ, 'PYTHONPATH': str(tmp_path), 'CLAP_DATA_ROOT': str(tmp_path)}
    done = subprocess.run(
        [sys.executable, 'tools/doctor.py'], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1 and 'Traceback' not in done.stderr, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert all('libcudart' in f['message'] for f in of(result, 'mmcv ops')) and of(result, 'embree')
