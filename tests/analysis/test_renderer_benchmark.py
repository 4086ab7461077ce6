"""The renderer against a simple one: both read the same volume, and both are measured."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from projects.CLAP.clap.analysis.renderer_benchmark import SampleWiseRenderer, format_table, measure_renderers
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.functional import metres_to_cells, trilinear
from projects.CLAP.clap.pretrain.heads import NeuSRenderHead
from tests.fixtures.tiny import RANGE, tiny_model


def test_the_yardstick_reads_the_same_features() -> None:
    head = NeuSRenderHead(in_channels=4, point_cloud_range=RANGE)
    volume, points = torch.randn(3, 4, 6, 5), torch.rand(50, 3) * 40 - 20
    field = head.sdf_field
    cell_m = (field.box_max - field.box_min) / torch.tensor([5.0, 6.0, 4.0])
    expected = trilinear(volume, metres_to_cells(points, field.box_min, cell_m))
    feature = SampleWiseRenderer(head, channels=3)._field(volume, points)[2]
    torch.testing.assert_close(feature, expected, atol=1e-5, rtol=0)
    assert expected.abs().sum() > 0


def test_both_are_measured() -> None:
    result = measure_renderers(Config(dict(model=tiny_model())), [8, 16], 1, torch.device('cpu'))
    small, large = result['rows']
    assert (small['lidar_rays'], large['lidar_rays']) == (8, 16) and large['camera_rays'] == 2 * small['camera_rays']
    for name in ('ours', 'sample_wise'):
        assert small[name]['seconds'] > 0 and 0 < small[name]['kept_gib'] < large[name]['kept_gib']
    less = large['times_less']['kept_gib']
    assert less == pytest.approx(large['sample_wise']['kept_gib'] / large['ours']['kept_gib'])
    assert format_table(result).splitlines()[-1].startswith(f'| 16 | {large["camera_rays"]} | ')


def test_a_method_that_does_not_render_is_refused() -> None:
    from tests.fixtures import toy_method  # noqa: F401, registers it

    model = {**tiny_model(), 'type': 'HeightPretrainer', 'channels': 16}
    for own in ('render_head', 'ray_sampler', 'prototype_head'):
        del model[own]
    with pytest.raises(ConfigError, match='NeuSRenderHead'):
        measure_renderers(Config(dict(model=model)), [], 1, torch.device('cpu'))
