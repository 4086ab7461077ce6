"""The detector: BEVFusion's entries name by name, training, inference, the frozen probe."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config

from projects.CLAP.clap.errors import NonFiniteLossError
from tests.fixtures.devices import CPU_AND_GPU
from tests.fixtures.golden import golden
from tests.fixtures.tiny_detector import build_detector, labelled_batch


def run(model: torch.nn.Module, data: dict, mode: str):
    training = mode == 'loss'
    return model(**model.data_preprocessor(copy.deepcopy(data), training=training), mode=mode)


def test_the_paper_size_has_bevfusions_582_entries(repo_root: Path) -> None:
    cfg = Config.fromfile(repo_root / 'projects/CLAP/configs/finetune/bevfusion_nus_100pct.py').model
    cfg.img_backbone.init_cfg = None
    encoders = json.loads((repo_root / 'tests/fixtures/bevfusion_encoder_entries.json').read_text())
    expected = {**encoders, **golden()['head_entries']}
    model = MODELS.build(cfg)
    state = model.state_dict()
    assert len(expected) == len(state) == 582
    for key, (dtype, *shape) in expected.items():
        assert list(state[key].shape) == shape and str(state[key].dtype) == f'torch.{dtype}', key
    assert model.bbox_head.point_cloud_range == cfg.voxelize_cfg.point_cloud_range
    assert model.bbox_head.cell_size == [8 * size for size in cfg.voxelize_cfg.voxel_size[:2]]


@pytest.mark.parametrize('device', CPU_AND_GPU)
def test_a_step_moves_every_parameter_and_a_detector_predicts(device: str) -> None:
    model, data = build_detector().to(device), labelled_batch()
    optim = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    total, logs = model.parse_losses(run(model, data, 'loss'))
    assert {'loss_heatmap', 'layer_-1_loss_cls', 'layer_-1_loss_bbox', 'matched_ious', 'loss'} <= set(logs)
    total.backward()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    still = [name for name, p in trained.items() if p.grad is None or not p.grad.isfinite().all()]
    assert not still
    optim.step()
    samples = run(model.eval(), data, 'predict')
    for sample in samples:
        found = sample.pred_instances_3d
        assert found.bboxes_3d.tensor.shape[1] == 9 and found.bboxes_3d.tensor.isfinite().all()
        assert len(found.scores_3d) == len(found.labels_3d) == len(found.bboxes_3d) <= 12
        assert 'gt_instances_3d' in sample and 'pred_instances' in sample
    raw = run(model, data, 'tensor')
    assert raw['dense_heatmap'].shape == (2, 3, 16, 16)


def test_a_batch_sees_what_its_samples_see_alone() -> None:
    model, data = build_detector().eval(), labelled_batch()
    together = run(model, data, 'tensor')['dense_heatmap']
    for index in range(2):
        alone = dict(
            inputs={key: [value[index]] for key, value in data['inputs'].items()},
            data_samples=[data['data_samples'][index]],
        )
        assert torch.allclose(run(model, alone, 'tensor')['dense_heatmap'][0], together[index], atol=1e-4)


def test_mixed_precision_on_the_cpu() -> None:
    model = build_detector()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = run(model, labelled_batch(), 'loss')
    assert all(value.dtype == torch.float32 for name, value in losses.items() if 'loss' in name)
    model.parse_losses(losses)[0].backward()


def test_the_probe_trains_the_head_alone() -> None:
    """Neither parameters nor running statistics of the encoders move."""
    model = build_detector(freeze_encoders=True)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert not any(module.training for part in model.encoders for module in part.modules())
    optim = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.parse_losses(run(model, labelled_batch(), 'loss'))[0].backward()
    optim.step()
    for key, value in model.state_dict().items():
        if not key.startswith('bbox_head'):
            assert torch.equal(value, before[key]), key
    moved = [n for n, p in model.bbox_head.named_parameters() if not torch.equal(p, before[f'bbox_head.{n}'])]
    assert len(moved) == len(list(model.bbox_head.parameters()))


def test_missing_labels_and_bad_losses_are_explained() -> None:
    model, data = build_detector(), labelled_batch()
    del data['data_samples'][0].gt_instances_3d
    with pytest.raises(ValueError, match='with_annotations=True'):
        run(model, data, 'loss')
    with torch.no_grad():
        model.bbox_head.shared_conv.weight.fill_(float('nan'))
    with pytest.raises(NonFiniteLossError, match='loss_heatmap'):
        model.parse_losses(run(model, labelled_batch(), 'loss'))
