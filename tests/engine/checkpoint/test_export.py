"""What an exported file holds, and that mmdetection3d's way of loading takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config

from projects.CLAP.clap.encoders.encoder_base import ENCODERS
from projects.CLAP.clap.engine.checkpoint.compare import GEOMETRY, compare
from projects.CLAP.clap.engine.checkpoint.export import export_encoders, merge_encoders, weights_digest
from projects.CLAP.clap.errors import CheckpointError
from tests.fixtures.tiny import build
from tests.fixtures.tiny_detector import build_detector


def saved(model: torch.nn.Module, path: Path, prefix: str = '') -> Path:
    torch.save(dict(state_dict=model.state_dict(prefix=prefix), meta=dict(epoch=3), optimizer=dict(state={})), path)
    return path


def test_only_encoders_plain_values_and_no_foreign_geometry(tmp_path: Path) -> None:
    model = build()
    summary = export_encoders(str(saved(model, tmp_path / 'a.pth')), str(tmp_path / 'b.pth'))
    content = torch.load(tmp_path / 'b.pth', weights_only=True)
    assert set(content) == {'state_dict', 'meta'}
    state = content['state_dict']
    expected = {k for k in model.state_dict() if k.split('.')[0] in ENCODERS} - set(GEOMETRY)
    assert set(state) == expected and not summary['geometry']
    assert sum(summary['entries'].values()) == len(expected)
    assert {'render_head', 'prototype_head'} <= set(summary['dropped']) and summary['absent'] == []
    assert state._metadata['pts_middle_encoder.conv_input.0'] == dict(version=2)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in state.items())
    # Views of larger storages would drag these along.
    size = sum(value.numel() * value.element_size() for value in state.values())
    assert (tmp_path / 'b.pth').stat().st_size < 1.5 * size + 300_000


def test_the_digest_is_of_names_and_values_not_of_the_file(tmp_path: Path) -> None:
    model = build()
    for folder in ('here', 'there'):
        (tmp_path / folder).mkdir()
        export_encoders(str(saved(model, tmp_path / folder / 'a.pth')), str(tmp_path / folder / 'b.pth'))
    here, there = (str(tmp_path / folder / 'b.pth') for folder in ('here', 'there'))
    assert weights_digest(here) == weights_digest(there)
    content = torch.load(there, weights_only=True)
    next(iter(content['state_dict'].values())).view(-1)[0] += 1
    torch.save(content, there)
    assert weights_digest(here) != weights_digest(there)


def test_a_wrapped_model_and_a_detector_export_the_same(tmp_path: Path) -> None:
    model = build_detector()
    plain = saved(model, tmp_path / 'a.pth')
    wrapped = saved(model, tmp_path / 'w.pth', prefix='module.')
    export_encoders(str(plain), str(tmp_path / 'b.pth'))
    export_encoders(str(wrapped), str(tmp_path / 'v.pth'))
    one, two = (torch.load(tmp_path / f'{name}.pth', weights_only=True)['state_dict'] for name in 'bv')
    assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)
    assert two._metadata['pts_middle_encoder.conv_input.0'] == dict(version=2)
    assert not any(key.startswith('bbox_head') for key in one)


def test_the_paper_size_exports_486_entries_that_leave_only_the_head(tmp_path: Path, repo_root: Path) -> None:
    """Loaded as mmdetection3d loads them: 96 entries missing, none unexpected, none of another shape, values equal."""
    cfg = Config.fromfile(repo_root / 'projects/CLAP/configs/finetune/bevfusion_nus_100pct.py').model
    cfg.img_backbone.init_cfg = None
    torch.manual_seed(0)
    source = MODELS.build(cfg)
    summary = export_encoders(str(saved(source, tmp_path / 'a.pth')), str(tmp_path / 'b.pth'))
    assert summary['geometry'] and sum(summary['entries'].values()) == 486
    torch.manual_seed(1)
    target = MODELS.build(cfg)
    state = torch.load(tmp_path / 'b.pth')['state_dict']
    missing = set(target.state_dict()) - set(state)
    assert len(missing) == 96 and all(key.startswith('bbox_head') for key in missing)
    result = target.load_state_dict(state, strict=False)
    assert missing - set(result.missing_keys) == {key for key in missing if key.endswith('num_batches_tracked')}
    assert result.unexpected_keys == []
    assert all(torch.equal(target.state_dict()[key], value) for key, value in state.items())


def test_what_cannot_be_exported_is_explained(tmp_path: Path) -> None:
    torch.save(dict(state_dict=dict(linear=torch.ones(2))), tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match='none of the encoders.*its modules are linear'):
        export_encoders(str(tmp_path / 'other.pth'), str(tmp_path / 'b.pth'))
    path = saved(build_detector(), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='another file'):
        export_encoders(str(path), str(path))


def test_a_merge_has_the_values_of_the_named_encoders(tmp_path: Path) -> None:
    """LiDAR parts of one checkpoint, camera parts of another; the fusion of neither."""
    torch.manual_seed(1)
    lidar = build(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, prototype_head=None)
    with torch.no_grad():
        for parameter in lidar.parameters():
            parameter += 0.01  # another draw than the other model's
    joint = build()
    parts = [
        (str(saved(lidar, tmp_path / 'l.pth')), ['pts_middle_encoder', 'pts_backbone', 'pts_neck']),
        (str(saved(joint, tmp_path / 'j.pth')), ['img_backbone', 'img_neck', 'view_transform']),
    ]
    summary = merge_encoders(parts, str(tmp_path / 'm.pth'))
    assert summary['absent'] == ['fusion_layer'] and 'fusion_layer' in summary['dropped']
    state = torch.load(tmp_path / 'm.pth', weights_only=True)['state_dict']
    for (_, names), model in zip(parts, (lidar, joint)):
        own = {
            key: value
            for key, value in model.state_dict().items()
            if key.split('.')[0] in names and key not in GEOMETRY
        }
        assert own and all(torch.equal(state[key], value) for key, value in own.items())
    assert state._metadata['pts_middle_encoder.conv_input.0'] == dict(version=2)
    detector = build_detector(seed=3)
    before = detector.fusion_layer.state_dict()
    detector.load_state_dict(state, strict=False)
    reports = compare(detector, state)
    assert {name: report.share for name, report in reports.items() if name != 'bbox_head'} == {
        name: 0.0 if name == 'fusion_layer' else 1.0 for name in ENCODERS
    }
    assert all(torch.equal(value, before[key]) for key, value in detector.fusion_layer.state_dict().items())


def test_a_merge_that_is_not_clear_is_refused(tmp_path: Path) -> None:
    path = str(saved(build(), tmp_path / 'a.pth'))
    with pytest.raises(CheckpointError, match='pts_neck would come from .*a.pth and from a checkpoint before'):
        merge_encoders([(path, ['pts_neck', 'img_neck']), (path, ['pts_neck'])], str(tmp_path / 'm.pth'))
    lidar = saved(
        build(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, prototype_head=None),
        tmp_path / 'l.pth',
    )
    with pytest.raises(CheckpointError, match='l.pth has no encoder img_neck; it has pts_middle_encoder'):
        merge_encoders([(str(lidar), ['img_neck'])], str(tmp_path / 'm.pth'))
    assert not (tmp_path / 'm.pth').exists()
