"""Pictures during training: where they go, and that training does not notice."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.visualization import PretrainVisualizationHook, undisturbed
from tests.fixtures.tiny import build
from tests.fixtures.tiny_run import tiny_runner

ALL = ['cameras', 'lidar_range', 'curvature', 'prototypes', 'rays']
HOOK = dict(type='PretrainVisualizationHook', interval=2, stride=16, max_points=200)


def test_pictures_reach_every_backend_and_training_does_not_notice(tmp_path: Path) -> None:
    """No StepSeedHook here: every draw of the run continues one random stream, so a single lost number would show."""
    plain = tiny_runner(tmp_path / 'plain', [])
    plain.train()
    drawn = tiny_runner(tmp_path / 'drawn', [HOOK])
    drawn.train()
    for (name, a), b in zip(plain.model.state_dict().items(), drawn.model.state_dict().values()):
        assert torch.equal(a, b), f'{name} depends on the pictures'
    needed = [[p.requires_grad for p in run.model.parameters()] for run in (plain, drawn)]
    assert needed[0] == needed[1]

    (images,) = (tmp_path / 'drawn').glob('*/vis_data/vis_image')
    assert sorted(p.name for p in images.iterdir()) == sorted(
        [f'frame0_{name}_{step}.png' for name in ALL for step in (0, 2, 4)] + ['frame0_lidar_on_images_0.png']
    )
    for path in images.iterdir():
        pixels = cv2.imread(str(path))
        assert min(pixels.shape[:2]) > 100 and pixels.std() > 5, path
    before, after = (cv2.imread(str(images / f'frame0_cameras_{step}.png')) for step in (0, 4))
    assert (before != after).any(), 'the pictures follow the training'

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = (tmp_path / 'drawn').glob('*/vis_data')
    events = EventAccumulator(str(folder), size_guidance=dict(images=0))
    events.Reload()
    assert set(events.Tags()['images']) == {f'frame0_{name}' for name in (*ALL, 'lidar_on_images')}
    assert [e.step for e in events.Images('frame0_rays')] == [0, 2, 4]


def test_undisturbed_restores_what_a_step_depends_on() -> None:
    model = build()
    model.img_backbone.eval()
    frozen = next(model.img_backbone.parameters()).requires_grad_(False)
    model.set_step_seed(5)
    modes = [m.training for m in model.modules()]
    assert any(modes) and not all(modes)

    def state() -> list:
        return [
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
            model._generator.get_state().tolist(),
        ]

    before = state()
    with pytest.raises(RuntimeError, match='on purpose'), undisturbed(model):
        assert not any(m.training for m in model.modules())
        random.random(), np.random.rand(), torch.rand(3), torch.rand(3, generator=model.generator)
        frozen.requires_grad_(True)
        assert all(a != b for a, b in zip(before, state()))
        raise RuntimeError('on purpose')
    assert state() == before
    assert [m.training for m in model.modules()] == modes
    assert not frozen.requires_grad


def test_other_ranks_do_not_draw_and_nothing_is_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tiny_runner(tmp_path / 'ranks', [])
    run.val_loop  # noqa: B018  built as Runner.train does before the first hook
    hook, steps = PretrainVisualizationHook(stride=16, max_points=100, figures=['rays']), []

    def exchange(*args, **kwargs) -> None:
        raise AssertionError('a collective would hang: the other ranks do not draw')

    for name in ('all_reduce', 'all_gather', 'broadcast', 'barrier', 'reduce', 'all_gather_object'):
        monkeypatch.setattr(torch.distributed, name, exchange)
    monkeypatch.setattr(run.visualizer, 'add_image', lambda name, image, step: steps.append((name, step)))
    hook.draw(run, 7)
    assert steps == [('frame0_rays', 7)]
    monkeypatch.setattr('mmengine.dist.utils.get_rank', lambda group=None: 1)
    hook.before_train(run)
    hook._try(run, 9)
    assert len(steps) == 1


def test_a_failing_picture_is_logged_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args, **kwargs) -> None:
        raise OSError('no space left on device')

    monkeypatch.setattr('projects.CLAP.clap.visualization.pretrain_visualization_hook.pictures_of', broken)
    run = tiny_runner(tmp_path / 'broken', [HOOK], epochs=1)
    run.train()
    assert (tmp_path / 'broken' / 'epoch_1.pth').is_file()
    log = next((tmp_path / 'broken').glob('*/*.log')).read_text()
    assert 'no pictures of iteration 2' in log and 'no space left on device' in log


@pytest.mark.parametrize(
    'wrong, message',
    [(dict(interval=0), 'interval'), (dict(dataset='test'), "'val' or 'train'")],
)
def test_wrong_arguments_are_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PretrainVisualizationHook(**wrong)


def test_a_picture_that_the_method_does_not_have_stops_the_run_at_its_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\['camera'\].*lidar_on_images.*lidar_range"):
        tiny_runner(tmp_path / 'figures', [dict(HOOK, figures=['rays', 'camera'])]).train()


def test_a_frame_that_does_not_exist_stops_the_run_at_its_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='frames 0 to 3'):
        tiny_runner(tmp_path / 'frame', [dict(HOOK, frames=[4])]).train()
    with pytest.raises(ValueError, match="dataset='train'"):
        tiny_runner(tmp_path / 'val', [HOOK], val_dataloader=None, val_cfg=None, val_evaluator=None).train()
