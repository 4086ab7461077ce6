"""Enrichment figures: labels of points, ratios of a known draw, the command on a real frame."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from projects.CLAP.clap.analysis.enrichment import mean_figures, measure_frame, point_of_pixel, summary
from projects.CLAP.clap.analysis.enrichment_report import format_tables
from projects.CLAP.clap.analysis.enrichment_run import build_samplers
from projects.CLAP.clap.analysis.frame_labels import FrameLabels, fitted_road, frame_labels
from projects.CLAP.clap.datasets.converters.pandaset_semantics import SEMANTIC_CLASSES
from projects.CLAP.clap.functional import box_of_points
from projects.CLAP.clap.pretrain.samplers import CurvatureRaySampler, SurfaceVariationRaySampler, UniformRaySampler
from projects.CLAP.clap.pretrain.samplers.base import camera_rays
from tests.fixtures.scenes import AnalyticField, front_camera, ground_and_sphere, sweep_of, wall
from tests.pretrain.samplers.test_samplers import ball_and_ground

ROOT = Path(__file__).resolve().parents[2]


def test_the_literal_form_is_as_printed_whatever_the_configured_one_has() -> None:
    samplers = build_samplers(dict(type='CurvatureRaySampler', mode='secant', power=3.0, smoothing=2), 8, 4)
    literal = samplers['curvature_literal']
    assert (literal.mode, literal.power, literal.smoothing) == ('literal', 1.0, 0)
    assert (literal.uniform_share, literal.importance) == (0.0, 0.0)
    assert (samplers['curvature'].mode, samplers['curvature'].power) == ('secant', 3.0)


def test_all_samplers_draw_from_the_configurations_candidates() -> None:
    points, field = torch.tensor([[2.0, 0, 0], [5.0, 0, 0], [6.0, 1, 0]]), AnalyticField(wall(30.0))
    for configured, count in ((dict(min_range_m=1.0), 3), ({}, 2)):
        for kind in ('CurvatureRaySampler', 'DepthRaySampler'):
            samplers = build_samplers(dict(type=kind, **configured), 8, 4).values()
            assert {len(sampler.candidates(field, sweep_of(points))) for sampler in samplers} == {count}


def test_points_in_a_turned_box() -> None:
    box = np.array([[10.0, 5.0, 0.0, 4.0, 2.0, 1.5, math.pi / 2]])  # 4 m along y, 2 m along x
    points = torch.tensor([[10.0, 6.9, 0.7], [10.9, 5.0, 0], [11.9, 5.0, 0], [10.0, 7.1, 0], [10.0, 5.0, 0.8]])
    assert box_of_points(points, torch.from_numpy(box)).tolist() == [0, 0, -1, -1, -1]
    assert box_of_points(points, torch.zeros(0, 7)).tolist() == [-1] * 5


def test_the_fitted_road_follows_a_slope_and_leaves_walls_and_objects_out() -> None:
    torch.manual_seed(0)
    plane = torch.rand(4000, 2) * 80 - 40
    height = -1.8 + 0.03 * plane[:, 0] + 0.0005 * plane[:, 1] ** 2
    ground = torch.cat([plane, (height + 0.03 * torch.randn(4000))[:, None]], dim=1)
    house = torch.rand(2000, 3) * torch.tensor([20.0, 15.0, 6]) + torch.tensor([15.0, 20.0, 0.5])
    points = torch.cat([ground, house])
    parked = torch.zeros(6000, dtype=torch.bool)
    parked[:100] = True
    road = fitted_road(points, parked)
    assert road[100:4000].float().mean() > 0.97
    assert road[4000:].float().mean() < 0.05
    assert not road[:100].any()


def test_labels_come_from_instances_and_the_semantic_file(tmp_path: Path) -> None:
    points = torch.tensor([[0.0, 0, 0], [5, 0, 0], [9, 0, 0]])
    info = dict(
        instances=[
            dict(bbox_3d=[0, 0, 0, 1, 1, 1, 0], bbox_label_3d=1),
            dict(bbox_3d=[5, 0, 0, 1, 1, 1, 0], bbox_label_3d=-1),
        ]
    )
    fitted = frame_labels(points, info, ('pedestrian', 'car'))
    assert fitted.objects.tolist() == [True, True, False] and fitted.road_source == 'fitted'
    assert fitted.groups['car'].tolist() == fitted.groups['vehicles'].tolist() == [True, False, False]
    assert not fitted.groups['pedestrian'].any()
    np.array([13, 41, 8], dtype=np.uint8).tofile(tmp_path / 'semantic.bin')
    info['lidar_points'] = dict(semantic_path=str(tmp_path / 'semantic.bin'))
    assert frame_labels(points, info, ('pedestrian', 'car'), dict(road=8)).road_source == 'fitted', 'names of others'
    labelled = frame_labels(points, info, ('pedestrian', 'car'), SEMANTIC_CLASSES)
    assert labelled.road.tolist() == [False, False, True] and labelled.road_source == 'semantic'
    assert labelled.groups['semantic building'].tolist() == [False, True, False]
    with pytest.raises(ValueError, match='semantic.bin'):
        frame_labels(points[:2], info, ('pedestrian', 'car'), SEMANTIC_CLASSES)


def test_the_nearest_point_is_what_a_pixel_shows() -> None:
    views = front_camera()
    ray = camera_rays(views, torch.tensor([[[10, 20]]])).directions
    sweep = sweep_of(torch.cat([ray * 9, ray * 5, ray * 7, -ray]))
    shown = point_of_pixel(sweep, torch.tensor([0, 1, 2, 3]), views)
    assert shown[0, 10, 20] == 1 and (shown >= 0).sum() == 1
    assert point_of_pixel(sweep, torch.tensor([2, 0]), views)[0, 10, 20] == 2


def test_ratios_of_known_samplers() -> None:
    points, on_ball = ball_and_ground()
    labels = FrameLabels(on_ball, ~on_ball, dict(ball=on_ball, nothing=torch.zeros_like(on_ball)), 'fitted')
    samplers = dict(
        uniform=UniformRaySampler(200, 300),
        surface_variation=SurfaceVariationRaySampler(200, 300),
        curved=CurvatureRaySampler(200, 300, uniform_share=0.0, importance=0.0),
        flattened=CurvatureRaySampler(200, 300, uniform_share=1.0, importance=0.0),
    )
    figures = measure_frame(
        samplers, AnalyticField(ground_and_sphere()), sweep_of(points), front_camera(), labels, seeds=20
    )
    uniform, rough = figures['uniform']['lidar'], figures['surface_variation']['lidar']
    assert uniform['object_ratio'] == pytest.approx(1, abs=0.1)
    assert uniform['road_ratio'] == pytest.approx(1, abs=0.05)
    assert uniform['entropy'] == pytest.approx(1) and uniform['effective_share'] == pytest.approx(1)
    curved, flattened = figures['curved']['lidar'], figures['flattened']['lidar']
    assert curved['effective_share'] < 0.5 and flattened['effective_share'] == pytest.approx(1), 'of what is drawn'
    assert uniform['pca_rank_correlation'] == 0 and rough['pca_rank_correlation'] > 0.99
    assert rough['object_ratio'] > 2 and rough['road_ratio'] < 0.8 and rough['effective_share'] < 0.6
    assert figures['surface_variation']['pixel']['object_ratio'] > figures['uniform']['pixel']['object_ratio']
    assert rough['groups']['ball'] == rough['object_ratio'] and rough['groups']['nothing'] is None
    lines = summary(mean_figures([figures, figures]), 2)
    assert lines['frames'] == 2
    assert lines['samplers']['uniform']['lidar']['object_ratio'] == round(uniform['object_ratio'], 4)
    assert 'surface_variation' in format_tables(figures)


def test_samplers_are_compared_on_the_points_of_the_first() -> None:
    points, on_ball = ball_and_ground()
    labels = FrameLabels(on_ball, ~on_ball, {}, 'fitted')
    samplers = dict(uniform=UniformRaySampler(200, 0), far=UniformRaySampler(200, 0, min_range_m=6.0))
    field = AnalyticField(ground_and_sphere())
    assert len(samplers['far'].candidates(field, sweep_of(points))) < len(
        samplers['uniform'].candidates(field, sweep_of(points))
    )
    figures = measure_frame(samplers, field, sweep_of(points), None, labels, seeds=2)
    assert figures['far'] == figures['uniform']


def test_a_frame_without_points_has_no_figures() -> None:
    nothing = torch.zeros(0, dtype=torch.bool)
    labels = FrameLabels(nothing, nothing, {}, 'fitted')
    samplers = dict(uniform=UniformRaySampler(20, 30))
    figures = measure_frame(samplers, AnalyticField(wall(30.0)), sweep_of(torch.zeros(0, 3)), front_camera(), labels)
    assert figures['uniform']['lidar']['object_ratio'] is None


def test_a_model_without_cameras_has_no_pixel_figures() -> None:
    points, on_ball = ball_and_ground()
    labels = FrameLabels(on_ball, ~on_ball, {}, 'fitted')
    figures = measure_frame(
        dict(uniform=UniformRaySampler(20, 30)), AnalyticField(wall(30.0)), sweep_of(points), None, labels
    )
    assert summary(figures, 1)['samplers']['uniform']['pixel'] == dict(object_ratio=None, road_ratio=None)


def test_another_data_root_does_not_keep_the_folders_of_the_cameras(real_data: Path) -> None:
    from mmdet3d.registry import DATASETS

    from projects.CLAP.clap.engine.config.data_root import use_data_root
    from projects.CLAP.clap.engine.config.load import load_config

    cfg = load_config('projects/CLAP/configs/clap_nus.py')  # its cameras lie in samples/CAM_...
    use_data_root(cfg, str(real_data / 'nuscenes_frame'))
    assert len(DATASETS.build(cfg.val_dataloader.dataset)) == 1


def test_the_command_on_a_real_frame(real_data: Path, tmp_path: Path) -> None:
    """An untrained model: the samplers that need no field reach the figures that were measured by other means."""
    from mmdet3d.registry import MODELS

    from projects.CLAP.clap.engine.config.load import load_config

    config = 'projects/CLAP/configs/clap_pandaset.py'
    torch.save(dict(state_dict=MODELS.build(load_config(config).model).state_dict()), tmp_path / 'untrained.pth')
    done = subprocess.run(
        [
            sys.executable,
            'tools/analysis_tools/sampler_enrichment.py',
            config,
            str(tmp_path / 'untrained.pth'),
            '--data-root',
            str(real_data / 'nuscenes_frame'),
            '--out',
            str(tmp_path / 'all.json'),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result['frames'] == 1
    assert set(result['samplers']) == {'curvature', 'curvature_literal', 'depth', 'surface_variation', 'uniform'}
    figures = result['samplers']
    assert set(figures['uniform']['lidar']) == {'object_ratio', 'road_ratio', 'pca_rank_correlation'}
    assert set(figures['uniform']['pixel']) == {'object_ratio', 'road_ratio'}
    assert figures['surface_variation']['lidar']['object_ratio'] == pytest.approx(2.4, abs=0.25)
    assert figures['uniform']['lidar']['object_ratio'] == pytest.approx(1.0, abs=0.1)
    assert figures['curvature']['lidar']['object_ratio'] < 1.5, 'a field that learned nothing must not find objects'
    assert len(json.loads((tmp_path / 'all.json').read_text())['frames']) == 1
