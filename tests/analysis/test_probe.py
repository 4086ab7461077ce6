"""The probe of frozen encoders on simulated frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config

from projects.CLAP.clap.analysis import probe as module
from projects.CLAP.clap.analysis.probe_features import point_features
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.errors import CheckpointError, ConfigError
from tests.fixtures.sim_dataset import tiny_dataset
from tests.fixtures.tiny import batch, build

CONFIG = Path(__file__).resolve().parents[2] / 'projects/CLAP/configs/clap_sim.py'


@pytest.fixture()
def cfg(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv('CLAP_DATA_ROOT', str(tiny_dataset().parent))
    monkeypatch.setattr(module, '_STEPS', 40)
    return load_config(str(CONFIG), [])


@pytest.fixture()
def checkpoint(cfg: Config, tmp_path: Path) -> str:
    """The encoders that seed 0 makes."""
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'a.pth')
    return str(tmp_path / 'a.pth')


@pytest.mark.parametrize('kind', ['lidar', 'voxel'])
def test_equal_encoders_have_equal_figures(kind: str, cfg: Config, checkpoint: str) -> None:
    figures = module.probe(cfg, checkpoint, labels=1, seeds=1, kind=kind)
    assert figures['miou']['random'] == figures['miou']['checkpoint'], 'seed 0 made both'
    assert figures['miou']['checkpoint'][0] > figures['miou']['point'][0] > 0
    assert figures['frames'] == dict(drawable=3, labelled=1, measured=3)
    assert 'mIoU' in module.probe_table(figures) and figures['points']['driveable_surface'] > 1000


def test_what_cannot_be_probed_is_named(cfg: Config, checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='3 can be drawn'):
        module.probe(cfg, checkpoint, labels=4, seeds=1)
    with pytest.raises(ConfigError, match='seeds must be at least 1'):
        module.probe(cfg, checkpoint, labels=1, seeds=0)
    state = torch.load(checkpoint)['state_dict']
    del state['pts_middle_encoder.conv_input.0.weight']
    torch.save(dict(state_dict=state), tmp_path / 'b.pth')
    with pytest.raises(CheckpointError, match='pts_middle_encoder'):
        module.probe(cfg, str(tmp_path / 'b.pth'), labels=1, seeds=1)
    kernel = state['pts_middle_encoder.conv_out.0.weight']
    state['pts_middle_encoder.conv_out.0.weight'] = kernel[:-1]
    torch.save(dict(state_dict=state), tmp_path / 'c.pth')
    with pytest.raises(CheckpointError, match='another architecture'):
        module.probe(cfg, str(tmp_path / 'c.pth'), labels=1, seeds=1)
    cfg.pop('segmentation')
    with pytest.raises(ConfigError, match='no classes of points'):
        module.probe(cfg, checkpoint, labels=1, seeds=1)


def test_a_frame_that_is_measured_is_never_labelled(cfg: Config) -> None:
    cfg.val_dataloader.dataset.update(ann_file=cfg.train_dataloader.dataset.ann_file, indices=[1])
    candidates, measured = module.labelled_sets(cfg, 'lidar')
    assert module._drawable(candidates, measured) == [0, 2]


def test_voxel_features_are_those_of_the_cells_around_a_point() -> None:
    """Every stage's cell centre finds its own row, whatever strides and paddings lie between."""
    model, data = build().eval(), batch(1)
    features, coords = model.voxelize(data['inputs']['points'][:1])
    stages = model.pts_middle_encoder.stages(features, coords, 1)
    low, size = np.array(model.voxelize_cfg['point_cloud_range'][:3]), np.array(model.voxelize_cfg['voxel_size'])
    first = 0
    centre = stages[0].indices[:, 1:].double().numpy()
    with torch.no_grad():
        for index, stage in enumerate(stages):
            centre = stage.indices[:, 1:].double().numpy()
            for padding in model.pts_middle_encoder.stride_paddings[:index][::-1]:
                centre = 2 * centre + 1 - np.array(padding)
            points = torch.from_numpy(low + (centre + 0.5) * size).float()
            found = point_features(model, dict(data['inputs'], keyframe_points=[points]), [], 'voxel')
            last = first + stage.features.shape[1]
            torch.testing.assert_close(found[:, first:last], stage.features)
            first = last
    assert found.shape[1] == last
