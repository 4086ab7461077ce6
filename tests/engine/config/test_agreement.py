"""One fact, several places: a configuration that contradicts itself is refused with both of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List

import pytest
from mmengine.config import Config

from projects.CLAP.clap.engine.config.agreement import contradictions, loose_ends
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[3] / 'projects' / 'CLAP' / 'configs'
MODEL = r'model\.voxelize_cfg\.point_cloud_range is \[-54\.0, '
SHIFTED = '[0.0,-54.0,-5.0,108.0,54.0,3.0]'
SMALL = '[-36.0,-36.0,-5.0,36.0,36.0,3.0]'


@pytest.mark.parametrize(
    'config,options,told',
    [
        ('finetune/bevfusion_sim_5pct', [f'model.bbox_head.point_cloud_range={SHIFTED}'], f'bbox_head.*{MODEL}'),
        ('finetune/bevfusion_sim_5pct', ['model.bbox_head.voxel_size=[0.3,0.3]'], r'bbox_head\.voxel_size is \[0\.3'),
        (
            'finetune/bevfusion_sim_5pct',
            ['model.bbox_head.num_classes=3'],
            'num_classes is 3, but .*has 10: car, truck',
        ),
        ('clap_sim', [f'model.render_head.point_cloud_range={SMALL}'], f'render_head.*{MODEL}'),
        (
            'clap_sim',
            [f'model.voxelize_cfg.point_cloud_range={SMALL}'],
            r'pipeline\.point_range\.point_cloud_range is \[-54',
        ),
        (
            'clap_sim',
            [f'val_dataloader.dataset.pipeline.point_range.point_cloud_range={SMALL}'],
            f'val_dataloader.*{MODEL}',
        ),
        (
            'finetune/bevfusion_sim_5pct',
            [f'train_dataloader.dataset.pipeline.object_range.point_cloud_range={SMALL}'],
            f'train_dataloader.*{MODEL}',
        ),
        (
            'clap_sim',
            ['train_dataloader.dataset.pipeline.image_aug.final_dim=[64,64]'],
            r'final_dim is \[64, 64\], but',
        ),
        ('clap_sim', ['model.view_transform.image_size=[64,64]'], r'view_transform\.image_size is \[64, 64\]'),
        (
            'finetune/bevfusion_sim_5pct',
            ['val_dataloader.dataset.metainfo.classes=[car,truck]'],
            r"val_dataloader\.dataset\.metainfo\.classes is \['car', 'truck'\], but train_dataloader",
        ),
        (
            'finetune/bevfusion_sim_5pct',
            ['train_dataloader.dataset.pipeline.object_names.classes=[truck,car]'],
            r'object_names\.classes is',
        ),
        ('finetune/bevfusion_pandaset_5pct', ['val_evaluator.classes=[car]'], r"val_evaluator\.classes is \['car'\]"),
    ],
)
def test_both_places_are_named(config: str, options: List[str], told: str) -> None:
    with pytest.raises(ConfigError, match=f'(?s)said in several ways.*{told}'):
        load_config(str(CONFIGS / f'{config}.py'), options)


@pytest.mark.parametrize('option', [f'point_cloud_range={SMALL}', 'image_size=[64,160]'])
def test_one_override_changes_every_copy(option: str) -> None:
    load_config(str(CONFIGS / 'finetune/bevfusion_sim_5pct.py'), [option])


def test_names_of_tasks_and_boxes_of_two_numbers() -> None:
    """mmdetection3d's CenterPoint has its classes task by task, and x and y alone as the coder's range."""
    head = dict(
        tasks=[dict(num_class=1, class_names=['car']), dict(num_class=1, class_names=['truck'])],
        bbox_coder=dict(pc_range=[-54, -54]),
    )
    cfg = dict(
        model=dict(voxelize_cfg=dict(point_cloud_range=[-54, -54, -5, 54, 54, 3]), pts_bbox_head=head),
        train_dataloader=dict(dataset=dict(metainfo=dict(classes=('car', 'truck')))),
    )
    assert contradictions(Config(cfg)) == []
    head['tasks'].reverse()
    head['bbox_coder']['pc_range'] = [-51.2, -51.2]
    lines = contradictions(Config(cfg))
    assert len(lines) == 2 and 'bbox_coder.pc_range is [-51.2' in lines[0] and "tasks is ['truck', 'car']" in lines[1]


@pytest.mark.parametrize(
    'config,epochs,told',
    [
        ('finetune/bevfusion_nus_lidar', 20, ''),
        ('finetune/bevfusion_nus_lidar', 2, r'max_epochs is 2, but param_scheduler\[1\].end is 20: .* is cut off'),
        ('finetune/bevfusion_nus_lidar', 24, 'max_epochs is 24, .* stays at its last value'),
        ('clap_sim', 3, ''),
    ],
)
def test_a_schedule_of_another_length_is_told(config: str, epochs: int, told: str) -> None:
    lines = loose_ends(load_config(str(CONFIGS / f'{config}.py'), [f'train_cfg.max_epochs={epochs}']))
    assert len(lines) == bool(told) and all(re.search(told, line) for line in lines)
