from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from projects.CLAP.clap.engine.checkpoint.read import allow_mmengine_checkpoints
from projects.CLAP.clap.engine.hooks.step_seed_hook import step_seed
from projects.CLAP.clap.engine.runner import QuietRunner
from projects.CLAP.clap.errors import NonFiniteLossError
from tests.fixtures.tiny import batch, tiny_model
from tests.fixtures.tiny_run import training


def runner(work_dir: Path, epochs: int = 3, warmup: int = 1, resume: bool = False, **overrides) -> Runner:
    """A real runner on the tiny model, two steps an epoch."""
    allow_mmengine_checkpoints()
    cfg = Config(
        dict(
            training(work_dir, tiny_model(), epochs),
            resume=resume,
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', interval=1), logger=dict(type='LoggerHook', interval=1)
            ),
            custom_hooks=[
                dict(type='StepSeedHook'),
                dict(type='SamplingWarmupHook', warmup_epochs=warmup),
                dict(type='NonFiniteLossHook'),
            ],
            experiment_name=work_dir.name + str(resume),
        )
    )
    cfg.merge_from_dict(overrides)
    return QuietRunner.from_cfg(cfg)


def spy_on_samplers(run: Runner) -> list:
    """The class name of the sampler of every step that is going to be run."""
    used = []
    sample = run.model.sample_rays

    def spied(*args):
        used.append(type(run.model.active_sampler).__name__)
        return sample(*args)

    run.model.sample_rays = spied
    return used


def test_warmup_switches_the_sampler_and_survives_a_resume(tmp_path: Path) -> None:
    whole = runner(tmp_path / 'whole')
    used = spy_on_samplers(whole)
    whole.train()
    assert used == ['UniformRaySampler'] * 2 + ['CurvatureRaySampler'] * 4
    log = next((tmp_path / 'whole').glob('*/*.log')).read_text()
    assert 'ray sampling from epoch 1: UniformRaySampler' in log
    assert 'ray sampling from epoch 2: CurvatureRaySampler' in log
    assert 'curvature_sampling: 1.0' in log

    for stop in (1, 2):  # as the warm-up ends, and after it
        folder = tmp_path / f'stopped_{stop}'
        runner(folder, epochs=stop).train()
        resumed = runner(folder, resume=True)
        used = spy_on_samplers(resumed)
        resumed.train()
        assert used == (['UniformRaySampler'] * 2 + ['CurvatureRaySampler'] * 4)[2 * stop :]
        for (name, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values()):
            assert torch.equal(a, b), f'resumed at epoch {stop}: {name} differs'


def test_a_run_that_is_all_warm_up_says_so(tmp_path: Path) -> None:
    said = 'every one of the 1 epochs is warm-up (warmup_epochs=1): CurvatureRaySampler never draws'
    for warmup, expected in ((1, True), (0, False)):
        folder = tmp_path / str(warmup)
        runner(folder, epochs=1, warmup=warmup).train()
        assert (said in next(folder.glob('*/*.log')).read_text()) is expected


def test_the_last_checkpoint_by_iterations_has_the_statistics_of_the_epochs_end(tmp_path: Path) -> None:
    hooks = [dict(type='StepSeedHook'), dict(type='UnmaskedNormHook', num_frames=2)]
    saving = dict(type='AtomicCheckpointHook', interval=1, by_epoch=False)
    run = runner(tmp_path, epochs=1, custom_hooks=hooks, default_hooks=dict(checkpoint=saving))
    run.train()
    saved = torch.load(tmp_path / 'iter_2.pth', weights_only=False)
    assert (tmp_path / 'last_checkpoint').read_text().endswith('iter_2.pth')
    assert saved['meta']['iter'] == 2 and saved['meta']['epoch'] == 1
    for name, value in run.model.state_dict().items():
        assert torch.equal(saved['state_dict'][name], value), name
    before = torch.load(tmp_path / 'iter_1.pth', weights_only=False)['state_dict']
    name = 'pts_backbone.blocks.0.1.running_mean'
    assert not torch.allclose(before[name], saved['state_dict'][name], rtol=0.2), 'the statistics were estimated anew'
    again = runner(tmp_path, epochs=1, resume=True, custom_hooks=hooks, default_hooks=dict(checkpoint=saving))
    again.train()
    assert again.iter == 2


def test_step_seeds_differ_by_seed_iteration_and_rank() -> None:
    seeds = {step_seed(s, i, r) for s in range(5) for i in range(50) for r in range(8)}
    assert len(seeds) == 5 * 50 * 8
    assert all(0 <= s < 2**62 for s in seeds)
    assert step_seed(1, 2, 3) == step_seed(1, 2, 3)


def test_a_non_finite_loss_stops_the_run_and_keeps_the_inputs(tmp_path: Path) -> None:
    run = runner(tmp_path)
    before, loss = {}, run.model.render_head.loss

    def broken_loss(*args) -> dict:
        before.update({name: value.clone() for name, value in run.model.named_parameters()})
        return {**loss(*args), 'loss_range': torch.tensor(float('inf'))}

    run.model.render_head.loss = broken_loss
    with pytest.raises(NonFiniteLossError, match='loss_range = inf') as caught:
        run.train()
    saved = torch.load(caught.value.saved, weights_only=True)
    assert caught.value.saved == tmp_path / 'nonfinite' / 'iter_0_rank_0.pt'
    assert saved['iteration'] == 0 and saved['step_seed'] == step_seed(3, 0, 'all')
    assert torch.equal(saved['batch']['inputs']['points'][0], batch(1)['inputs']['points'][0])
    assert saved['losses'] == {'loss_range': float('inf')}
    again = runner(tmp_path / 'again').model
    again.load_state_dict(saved['state_dict'])  # with the layout version that sparse kernels need
    assert all(torch.equal(value, before[name]) for name, value in again.named_parameters())
    assert before
    trained = [n for n, p in run.model.named_parameters() if not torch.equal(p, before[n])]
    assert not trained, 'the bad step must not reach the weights'


def test_the_warmup_hook_names_a_wrong_model_and_a_wrong_length(tmp_path: Path) -> None:
    from projects.CLAP.clap.engine.hooks import SamplingWarmupHook

    with pytest.raises(ValueError, match='warmup_epochs'):
        SamplingWarmupHook(-1)
    run = runner(tmp_path)
    run.model = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match='CLAP'):
        SamplingWarmupHook(1).before_train_iter(run, 0)


def test_norm_statistics_are_those_of_the_unmasked_input(tmp_path: Path) -> None:
    """After the hook, evaluation normalises as a batch of whole frames does, and training goes on unchanged."""
    from projects.CLAP.clap.engine.hooks.unmasked_norm_hook import estimate_norm_statistics
    from tests.fixtures.tiny import build

    model, data = build(), batch(1)
    for _ in range(3):
        model.set_step_seed(0)
        model(**model.data_preprocessor(batch(1), training=True), mode='loss')
    masked = model.pts_backbone.blocks[0][1].running_mean.clone()
    weights = {name: p.clone() for name, p in model.named_parameters()}
    estimate_norm_statistics(model, iter([batch(1)]))
    assert model.training and all(m.training for m in model.modules())
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())
    norm = model.pts_backbone.blocks[0][1]
    assert norm.momentum is not None and not torch.allclose(norm.running_mean, masked)
    seen = []
    model.eval()
    handle = norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    inputs = model.data_preprocessor(data, training=False)
    model.encode_masked(inputs['inputs'], [s.metainfo for s in inputs['data_samples']])
    handle.remove()
    # The statistics of this one frame, up to the layers before, whose own now are those of the frame too.
    torch.testing.assert_close(seen[0].mean((0, 2, 3)), norm.running_mean, atol=1e-2, rtol=1e-2)
