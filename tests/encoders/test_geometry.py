"""Sizes that a configuration leaves out follow from range, voxel size and image size."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects.CLAP.clap.encoders.geometry import with_geometry
from projects.CLAP.clap.engine.config.load import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'projects' / 'CLAP' / 'configs'


@pytest.mark.parametrize(
    'config,shape,bound,features',
    [
        ('clap_nus', [1440, 1440, 41], [-54.0, 54.0, 0.3], [32, 88]),
        ('clap_sim', [720, 720, 41], [-54.0, 54.0, 0.6], [16, 44]),
        ('finetune/bevfusion_pandaset_5pct', [720, 720, 41], [-54.0, 54.0, 0.6], [24, 44]),
        ('comparison/finetune_sim', [480, 480, 41], [-36.0, 36.0, 0.6], [8, 20]),
    ],
)
def test_the_configurations_sizes(config: str, shape: list, bound: list, features: list) -> None:
    model = load_config(str(CONFIGS / f'{config}.py')).model
    parts = with_geometry(model.voxelize_cfg, {name: model[name] for name in ('pts_middle_encoder', 'view_transform')})
    assert parts['pts_middle_encoder']['sparse_shape'] == shape
    view = parts['view_transform']
    assert (view['xbound'], view['ybound'], view['feature_size']) == (bound, bound, features)


def test_what_is_given_stays_and_the_configuration_is_not_changed() -> None:
    voxels = dict(voxel_size=[0.5, 0.25, 0.2], point_cloud_range=[-8.0, -4.0, -1.0, 24.0, 12.0, 3.0])
    given = dict(view_transform=dict(image_size=[64, 128], ybound=[0, 1, 2], xbound=None), pts_middle_encoder=dict())
    parts = with_geometry(voxels, given)
    assert parts['view_transform'] == dict(
        image_size=[64, 128], ybound=[0, 1, 2], xbound=[-8.0, 24.0, 4.0], feature_size=[8, 16]
    )
    assert parts['pts_middle_encoder'] == dict(sparse_shape=[64, 64, 21])
    assert given['pts_middle_encoder'] == {} and given['view_transform']['xbound'] is None
    assert with_geometry(None, dict(pts_middle_encoder=None, view_transform=dict())) == dict(
        pts_middle_encoder=None, view_transform=dict()
    )
