"""Every pre-training configuration is built and takes a whole step: forward, backward, optimiser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Set

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from projects.CLAP.clap.datasets.converters import argoverse2, kitti_raw, once, semantickitti, waymo
from projects.CLAP.clap.datasets.superpixels import write_superpixels
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.doctor import data as doctor_data
from projects.CLAP.doctor.findings import GOOD
from tests.fixtures import argoverse2_log, kitti_recordings, once_recording, waymo_recording

ROOT = Path(__file__).resolve().parents[1]
#: Run in its own process, so that the peak memory is that of the step.
STEP = '''
import json, sys, time
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmdet3d.registry import MODELS
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.analysis.step_timer import peak_memory_gib
cfg = load_config(sys.argv[1], sys.argv[3:])
cfg.train_dataloader.update(batch_size=1, num_workers=0, persistent_workers=False)
if cfg.model.get('img_backbone'):
    cfg.model.img_backbone.init_cfg = None
if 'nus' in sys.argv[1]:
    dataset = cfg.train_dataloader.dataset
    dataset.data_root, dataset.ann_file = sys.argv[2], 'n015-2018-07-24-11-22-45+0800.pkl'
    dataset.data_prefix = dict(pts='', sweeps='', img='')
torch.manual_seed(0)
batch = next(iter(Runner.build_dataloader(cfg.train_dataloader, seed=0)))
model = MODELS.build(cfg.model).train()
optim = build_optim_wrapper(model, cfg.optim_wrapper)
before = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
model.set_step_seed(0)
start = time.time()
logs = model.train_step(batch, optim)
seconds = time.time() - start
still = [n for n, p in model.named_parameters() if n in before and torch.equal(p, before[n])]
print(json.dumps(dict(seconds=seconds, peak_gib=peak_memory_gib(torch.device('cpu')), still=still,
                      logs={k: float(v.detach()) for k, v in logs.items()})))
'''


CLAP_LOSSES = {'loss_range', 'loss_rgb', 'loss_surface', 'loss_swav', 'loss_em', 'loss_gram'}


def step(config: str, data: Path, root: Path, losses: Set[str], *options: str) -> dict:
    env = {**os.environ, 'CLAP_DATA_ROOT': str(root), 'PYTHONPATH': str(ROOT), 'OMP_WAIT_POLICY': 'PASSIVE'}
    done = subprocess.run(
        [sys.executable, '-c', STEP, f'projects/CLAP/configs/{config}.py', str(data), *options],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.strip().splitlines()[-1])
    print(config, {k: result[k] for k in ('seconds', 'peak_gib')}, result['logs'])
    logs = result['logs']
    assert logs['loss'] > 0
    assert losses <= set(logs)
    # AdamW moves every parameter that has a gradient, and weight decay the rest; a bias of zero without
    # a gradient stays, which no parameter of a step that uses everything may do.
    assert not result['still'], f'not moved by the step: {result["still"]}'
    return result


def test_clap_nus_full_size(real_data: Path, tmp_path: Path) -> None:
    """The paper's sizes on a real nuScenes keyframe, on the CPU, within 20 GiB."""
    result = step('clap_nus', real_data / 'nuscenes_frame', tmp_path, CLAP_LOSSES)
    assert result['peak_gib'] < 20
    assert result['logs']['candidate_points'] > 0.5
    assert result['logs']['masked_rays'] == 0


#: The losses of each other method on a frame without weak labels.
METHODS = {
    'unipad': {'loss_range', 'loss_rgb', 'loss_surface'},
    'ppkt': {'loss_contrast'},
    'slidr': {'loss_contrast'},
    'also': {'loss_occupancy', 'loss_intensity'},
    'occupancy_mae': {'loss_occupancy'},
    'cmcr': {'loss_contrast', 'loss_image', 'loss_occupancy', 'loss_commitment', 'loss_orthogonal'},
    'clurender': {'loss_cluster', 'loss_spread', 'loss_render'},
}


@pytest.mark.slow
@pytest.mark.parametrize('name', METHODS)
def test_other_methods_nus_full_size(name: str, real_data: Path, tmp_path: Path) -> None:
    """Each other method at the paper's sizes on the same keyframe."""
    frame, options = real_data / 'nuscenes_frame', []
    if name == 'slidr':
        for image in frame.glob('*.jpg'):
            write_superpixels(tmp_path, str(image), 30)
        options = [f'train_dataloader.dataset.pipeline.superpixels.folder={tmp_path}']
    assert step(f'{name}_nus', frame, tmp_path, METHODS[name], *options)['peak_gib'] < 20


def test_clap_pandaset(real_data: Path, tmp_path: Path) -> None:
    from projects.CLAP.clap.datasets.converters.pandaset import convert

    convert(real_data / 'pandaset', tmp_path / 'pandaset')
    step('clap_pandaset', real_data, tmp_path, CLAP_LOSSES)


def test_clap_sim(tmp_path: Path) -> None:
    make = ['tools/create_data.py', 'sim', '--out', str(tmp_path / 'sim'), '--scenes', '2', '--frames', '2']
    done = subprocess.run([sys.executable, *make], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    step('clap_sim', tmp_path, tmp_path, CLAP_LOSSES)


def recordings(name: str, real_data: Path, root: Path) -> None:
    """``root/NAME``: converted real samples, or made-up recordings where there are none with images."""
    if name == 'kitti_raw':
        kitti_raw.convert(real_data / name, root / name)
    elif name == 'argoverse2_lidar':
        argoverse2.convert(real_data / 'argoverse2', root / 'argoverse2')
    elif name == 'argoverse2':
        argoverse2_log.write_log(root / 'raw')
        argoverse2.convert(root / 'raw', root / name)
    elif name == 'waymo':
        for split, context in (('training', 'a'), ('validation', 'b')):
            waymo_recording.write_parquet(root / 'raw', context, waymo_recording.Recording(pixels=20), split)
        waymo.convert(root / 'raw', root / name)
    elif name == 'once':
        once_recording.write_sequence(root / 'raw', '000027', ('val',))
        once_recording.write_sequence(root / 'raw', '000100', ('raw_small',))
        once.convert(root / 'raw', root / name)
    else:
        kitti_recordings.write_sequence(root / 'raw', '00')
        kitti_recordings.write_sequence(root / 'raw', '08')
        semantickitti.convert(root / 'raw', root / name)


@pytest.mark.parametrize('name', ['kitti_raw', 'semantickitti', 'argoverse2', 'argoverse2_lidar', 'waymo', 'once'])
def test_small_ones_train_and_the_doctor_is_content(
    name: str, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings(name, real_data, tmp_path)
    monkeypatch.setenv('CLAP_DATA_ROOT', str(tmp_path))
    cfg = load_config(str(ROOT / f'projects/CLAP/configs/clap_{name}_small.py'), [])
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.model.ray_sampler.update(num_lidar_rays=128, num_camera_rays=16)
    if 'argoverse2' in name:  # the only split of the samples
        cfg.train_dataloader.dataset.update(ann_file='argoverse2_infos_val.pkl', load_interval=1)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    model = MODELS.build(cfg.model).train()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad}
    for step, batch in zip(range(2), loader):
        model.set_step_seed(step)
        logs = model.train_step(batch, optim)
        assert all(torch.isfinite(value).all() for value in logs.values()), logs
    prototypes = {'loss_swav', 'loss_em', 'loss_gram'}
    assert logs['loss_range'] > 0 and model.has_camera == (name != 'argoverse2_lidar')
    assert prototypes <= set(logs) if model.has_camera else not prototypes & set(logs)
    if name in ('kitti_raw', 'argoverse2_lidar'):  # made-up walls leave some parts without a gradient
        assert all(not torch.equal(value, before[key]) for key, value in model.named_parameters() if key in before)
        cfg.val_dataloader = cfg.test_dataloader = None
    if name in ('kitti_raw', 'argoverse2_lidar', 'waymo', 'once'):
        assert {finding.level for finding in doctor_data.check_config_data(cfg)} == {GOOD}
