"""--resume with another configuration: obeyed as if it had been so from the beginning, or refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import torch
from mmdet3d.registry import DATASETS, HOOKS, MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel

from projects.CLAP.clap.engine.checkpoint.read import allow_mmengine_checkpoints
from projects.CLAP.clap.engine.checkpoint.resume import differences, plain_config
from projects.CLAP.clap.engine.runner import QuietRunner
from projects.CLAP.clap.errors import CheckpointError


@MODELS.register_module(force=True)
class Line(BaseModel):
    """Two weights; ``slope`` is an option that no entry of a checkpoint shows."""

    def __init__(self, slope: float = 1.0, data_preprocessor: Optional[dict] = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.slope, self.weight = slope, torch.nn.Parameter(torch.ones(2))

    def forward(self, inputs: List[torch.Tensor], mode: str = 'loss', **_: Any) -> Dict[str, torch.Tensor]:
        return dict(loss=((self.weight * self.slope - torch.stack(list(inputs))) ** 2).mean())


@DATASETS.register_module(force=True)
class Numbers(torch.utils.data.Dataset):
    def __init__(self, indices: int = 6) -> None:
        self.indices = indices

    def __len__(self) -> int:
        return self.indices

    def __getitem__(self, index: int) -> Dict[str, torch.Tensor]:
        return dict(inputs=torch.tensor([float(index), 1.0]))


@HOOKS.register_module(force=True)
class Groups(Hook):
    """Keeps the optimizer's options of every step."""

    def __init__(self, kept: List[dict]) -> None:
        self.kept = kept

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        group = runner.optim_wrapper.param_groups[0]
        self.kept.append({key: group[key] for key in ('lr', 'weight_decay', 'betas')})


COSINE = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
MOMENTUM = dict(type='CyclicMomentum', eta_min=0.8, by_epoch=True, convert_to_iter_based=True)
STEPS = dict(type='MultiStepLR', milestones=[1, 3], by_epoch=True)
WARMUP = dict(type='LinearLR', start_factor=0.1, begin=0, end=4, by_epoch=False)


def run(folder: Path, resume: Optional[str] = None, stop: Optional[int] = None, **options: Any) -> List[dict]:
    """Six frames in steps of two, two epochs by default; the optimizer's options of every step."""
    allow_mmengine_checkpoints()
    kept: List[dict] = []
    cfg = Config(
        dict(
            default_scope='mmdet3d',
            model=dict(type='Line'),
            work_dir=str(folder),
            train_dataloader=dict(
                dataset=dict(type='Numbers'),
                batch_size=2,
                num_workers=0,
                sampler=dict(type='SeededSampler', shuffle=True),
                collate_fn=dict(type='pseudo_collate'),
            ),
            optim_wrapper=dict(type='CheckedOptimWrapper', optimizer=dict(type='AdamW', lr=0.1)),
            param_scheduler=[WARMUP, COSINE],
            train_cfg=dict(type='ResumableEpochLoop', max_epochs=2),
            default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, max_keep_ckpts=-1)),
            randomness=dict(seed=3),
            experiment_name=f'{folder.parent.name}_{folder.name}',
            resume=resume is not None,
            load_from=resume,
        )
    )
    cfg.merge_from_dict(options)
    runner = QuietRunner.from_cfg(cfg)
    runner.register_hook(Groups(kept))
    runner.train()
    return kept


@pytest.fixture(scope='module')
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of a run of two epochs of three steps, of every step."""
    folder = tmp_path_factory.mktemp('before')
    run(folder)
    return folder


@pytest.mark.parametrize(
    'step,options',
    [
        (6, {'train_cfg.max_epochs': 4}),
        (4, {'train_cfg.max_epochs': 3, 'optim_wrapper.optimizer.lr': 0.02}),
        (4, {'train_cfg.max_epochs': 3, 'optim_wrapper.optimizer.weight_decay': 0.3}),
        (3, {'train_cfg.max_epochs': 4, 'param_scheduler': [STEPS]}),
        (6, {'train_cfg.max_epochs': 4, 'param_scheduler': [STEPS]}),
        (4, {'train_cfg.max_epochs': 3, 'param_scheduler': [WARMUP, COSINE, MOMENTUM]}),
        (4, {'train_cfg.max_epochs': 3, 'param_scheduler': None}),
        (4, {'train_cfg.max_epochs': 3, 'auto_scale_lr': dict(enable=True, base_batch_size=8)}),
    ],
)
def test_the_schedule_is_that_of_a_run_that_had_it_from_the_beginning(
    step: int, options: dict, before: Path, tmp_path: Path
) -> None:
    whole = run(tmp_path / 'whole', **options)
    resumed = run(tmp_path / 'resumed', str(before / f'iter_{step}.pth'), **options)
    assert resumed == whole[step:] and len(resumed) == 3 * options['train_cfg.max_epochs'] - step


def test_an_unchanged_run_goes_on_bit_for_bit(before: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path, str(before / 'iter_4.pth'))
    whole, resumed = (torch.load(folder / 'iter_6.pth', weights_only=True) for folder in (before, tmp_path))
    assert torch.equal(whole['state_dict']['weight'], resumed['state_dict']['weight'])
    assert str(whole['optimizer']) == str(resumed['optimizer'])
    assert whole['param_schedulers'] == resumed['param_schedulers']


def test_moments_stay_and_changes_are_told(before: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    source = str(before / 'iter_3.pth')
    run(tmp_path / 'a', source, **{'model.slope': 2.0, 'optim_wrapper.optimizer.lr': 0.0, 'train_cfg.val_interval': 7})
    printed = capsys.readouterr().out
    assert 'model.slope was nothing, from here on it is 2.0' in printed and 'val_interval' not in printed
    assert 'optim_wrapper.optimizer.lr was 0.1, from here on it is 0.0' in printed
    old, new = (torch.load(path, weights_only=True) for path in (source, tmp_path / 'a/iter_6.pth'))
    assert new['optimizer']['state'][0]['step'] == old['optimizer']['state'][0]['step'] + 3
    assert torch.equal(old['state_dict']['weight'], new['state_dict']['weight'])  # a learning rate of 0


@pytest.mark.parametrize(
    'step,options,reason',
    [
        (
            3,
            {'train_dataloader.batch_size': 1},
            'had 2 frames, now it has 1.*had 3 steps, now it has 6',
        ),
        (3, {'train_dataloader.batch_size': 3}, 'a step had 2 frames, now it has 3'),
        (3, {'train_dataloader.dataset.indices': 4}, 'an epoch had 3 steps, now it has 2'),
        (4, {'train_dataloader.sampler.shuffle': False}, 'shuffle was True, now False: .*middle of an epoch'),
        (4, {'train_dataloader.dataset.indices': 5}, r'dataset\.indices was nothing, now 5: .*middle of an epoch'),
        (3, {'randomness.seed': 4}, 'seed was 3, now 4'),
        (3, {'optim_wrapper.optimizer.type': 'SGD'}, "type was 'AdamW', now 'SGD'"),
        (3, {'optim_wrapper.optimizer.amsgrad': True}, 'amsgrad was nothing, now True'),
        (3, {'train_cfg': dict(_delete_=True, type='IterBasedTrainLoop', max_iters=9)}, 'train_cfg.type was'),
        (6, {'train_cfg.max_epochs': 1}, '2 epochs are done, more than train_cfg.max_epochs=1'),
        (3, {'optim_wrapper.paramwise_cfg': dict(bias_lr_mult=2.0), 'model.slope': 1.0}, None),
        (3, {'param_scheduler': [dict(type='ReduceOnPlateauLR', monitor='loss')]}, 'follows evaluations'),
    ],
)
def test_what_cannot_be_obeyed_is_refused(
    step: int, options: dict, reason: Optional[str], before: Path, tmp_path: Path
) -> None:
    if reason is None:  # one weight: the groups are the same
        assert len(run(tmp_path, str(before / f'iter_{step}.pth'), **options)) == 3
        return
    with pytest.raises(CheckpointError, match=f'(?s){reason}') as caught:
        run(tmp_path, str(before / f'iter_{step}.pth'), **options)
    assert 'load_from=CHECKPOINT' in str(caught.value)


def test_the_order_of_frames_may_change_between_epochs(before: Path, tmp_path: Path) -> None:
    assert len(run(tmp_path, str(before / 'iter_3.pth'), **{'train_dataloader.sampler.shuffle': False})) == 3


def test_a_checkpoint_from_plain_mmengine_is_compared_too(tmp_path: Path) -> None:
    plain = {'default_hooks.checkpoint': dict(_delete_=True, type='CheckpointHook', interval=1)}
    run(tmp_path / 'plain', **plain)
    with pytest.raises(CheckpointError, match='an epoch had 3 steps, now it has 6'):
        run(tmp_path / 'new', str(tmp_path / 'plain/epoch_1.pth'), **plain, **{'train_dataloader.batch_size': 1})


def test_nothing_in_a_checkpoint_runs(before: Path, tmp_path: Path) -> None:
    content = torch.load(before / 'iter_3.pth', weights_only=True)
    program = f'import pathlib\npathlib.Path({str(tmp_path / "was_run")!r}).touch()\n'
    content['meta'].update(config=program, cfg=content['meta']['cfg'] + program)
    torch.save(content, tmp_path / 'hostile.pth')
    run(tmp_path / 'run', str(tmp_path / 'hostile.pth'))
    assert not (tmp_path / 'was_run').exists()


def test_a_configuration_is_read_as_it_was_written() -> None:
    values = dict(
        model=dict(a=1, b=(1, 2.5, None), c={'x.y': -3, 'in': 'text'}, d=float('inf'), e=[dict(f=True)]), seed=None
    )
    read = plain_config(Config(values).pretty_text)
    assert read['model'] == dict(a=1, b=[1, 2.5, None], c={'x.y': -3, 'in': 'text'}, d='inf', e=[dict(f=True)])
    assert differences(read, read) == []
    changed = plain_config(Config({**values, 'model': dict(values['model'], e=[dict(f=False)])}).pretty_text)
    assert differences(read, changed) == [('model.e[0].f', True, False)]
