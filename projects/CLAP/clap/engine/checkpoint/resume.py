"""A resumed run obeys the configuration that it is given, or says why it cannot; it never goes on by the old one."""

from __future__ import annotations

import ast
import warnings
from typing import Any, Dict, Iterator, List, Optional, Tuple

from mmengine.dist import get_world_size
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from ...errors import CheckpointError

Difference = Tuple[str, Any, Any]
_ABSENT = 'nothing'
#: Parts of a configuration whose changes are told; the others shape no weight.
_TOLD = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'randomness')
#: Where data lie and how they are fetched; weights that a resumed run does not fetch.
_UNTOLD = {'data_root', 'data_prefix', 'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'timeout'}
_UNTOLD |= {'init_cfg', 'val_interval', 'val_begin', 'dynamic_intervals'}
#: What learning rate and its like of a step follow from.
_SCHEDULE = ('optim_wrapper.optimizer', 'optim_wrapper.paramwise_cfg', 'param_scheduler', 'auto_scale_lr')
_SCHEDULE += ('train_cfg.max_epochs', 'train_cfg.max_iters')
#: Options of an optimizer that its state does not depend on.
_FREE_OPTIONS = {'lr', 'weight_decay', 'betas', 'eps', 'momentum', 'dampening', 'alpha', 'foreach'}
#: What the order of the frames follows from.
_FRAMES = {'sampler', 'batch_sampler', 'ann_file', 'indices', 'load_interval', 'load_offset', 'keep_length', 'times'}
_FRAMES |= {'class_balanced', 'drop_last', 'num_batch_per_epoch'}
_INSTEAD = (
    'Take these keys back to go on with this run, or begin a new one with its weights: '
    '--cfg-options load_from=CHECKPOINT, another --work-dir, no --resume'
)


def obey_configuration(runner: Runner, checkpoint: Dict[str, Any]) -> None:
    """Bring a loaded checkpoint, before optimizer and schedulers are restored from it, to the runner's configuration.

    The configuration that the checkpoint was written under is in it. If both give the same schedule, nothing is
    changed and the run goes on bit for bit. If not, every step that is done is counted again under the new schedule,
    so that learning rate, momentum and weight decay are those of a run that had it from its beginning; the optimizer
    keeps its moments.

    Args:
        runner: with optimizer and schedulers as built for the first step.
        checkpoint: as ``Runner.load_checkpoint`` returns it; optimizer and schedulers in it may be replaced.

    Raises:
        CheckpointError: a key has changed that a run cannot change on its way; names it, both values and why.
    """
    saved = checkpoint['meta'].get('cfg')
    changed = differences(plain_config(saved), plain_config(runner.cfg.pretty_text)) if saved else []
    if not saved:
        runner.logger.warning(
            '--resume: the checkpoint does not hold its configuration; whether it was this one is open'
        )
    reasons = [*_refused_keys(changed), *_other_steps(runner, checkpoint), *_other_frames(runner, checkpoint, changed)]
    if reasons:
        raise CheckpointError(
            'the configuration is not that of the checkpoint, and cannot be obeyed in the middle of a run:\n  - '
            + '\n  - '.join(reasons)
            + f'\n{_INSTEAD}'
        )
    schedule = [change for change in changed if change[0].startswith(_SCHEDULE)]
    if schedule or _other_schedulers(runner, checkpoint):
        _follow(runner, checkpoint, schedule)
    for path, was, now in changed:
        runner.logger.warning(f'--resume: {path} was {_short(was)}, from here on it is {_short(now)}')
    if schedule:
        rates = sorted({group['lr'] for group in checkpoint['optimizer']['param_groups'] if 'lr' in group})
        runner.logger.warning(
            f'--resume: the schedule is another one: the learning rate goes on with {", ".join(map(str, rates))}, as '
            'if the run had had it from its beginning. The result will not be that of an uninterrupted run'
        )
    if isinstance(runner.train_loop, EpochBasedTrainLoop) and checkpoint['meta']['epoch'] == runner.max_epochs:
        runner.logger.warning(
            f'--resume: all {runner.max_epochs} epochs are done, nothing is left to train; more: train_cfg.max_epochs'
        )


def plain_config(text: str) -> Dict[str, Any]:
    """The assignments of a configuration as MMEngine writes it down, read without running any of it."""
    return {
        target.id: _plain(line.value)
        for line in ast.parse(text).body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }


def _plain(node: ast.expr) -> Any:
    """Value of an expression of literals and ``dict(...)``; any other as its text. Tuples become lists."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        given = {str(item.arg): _plain(item.value) for item in node.keywords}
        return {**given, **(_plain(node.args[0]) if node.args else {})}  # dict(a=1) or dict({'a.b': 1})
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {str(_plain(key)): _plain(value) for key, value in zip(node.keys, node.values) if key is not None}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_plain(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def differences(was: Dict[str, Any], now: Dict[str, Any]) -> List[Difference]:
    """Path, old and new value of what shapes the weights and differs between two configurations."""
    return [change for key in _TOLD for change in _differences(was.get(key), now.get(key), key)]


def _differences(was: Any, now: Any, path: str) -> Iterator[Difference]:
    if path.rsplit('.')[-1] in _UNTOLD or was == now:
        return
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(key for key in now if key not in was)]:
            yield from _differences(was.get(key, _ABSENT), now.get(key, _ABSENT), f'{path}.{key}')
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now) and isinstance(was[0], dict):
        for index, (old, new) in enumerate(zip(was, now)):
            yield from _differences(old, new, f'{path}[{index}]')
    else:
        yield path, was, now


def _short(value: Any) -> str:
    text = repr(value) if value is not _ABSENT else _ABSENT
    return text if len(text) < 100 else f'{text[:97]}...'


def _refused_keys(changed: List[Difference]) -> Iterator[str]:
    """One line per key that a run takes from its checkpoint, whatever the configuration says."""
    for path, was, now in changed:
        told = f'{path} was {_short(was)}, now {_short(now)}: '
        if path == 'randomness.seed' and now not in (None, _ABSENT):
            yield told + 'frames, masks and rays follow from the seed that the run began with'
        elif path in ('train_cfg.type', 'train_cfg.by_epoch'):
            yield told + 'epochs and iterations of the checkpoint are those of the other loop'
        elif path in ('optim_wrapper.constructor', 'optim_wrapper.loss_scale') and _ABSENT not in (was, now):
            yield told + 'the state in the checkpoint is that of the old one'
        elif path.startswith('optim_wrapper.optimizer.') and path.rsplit('.')[-1] not in _FREE_OPTIONS:
            yield told + "the checkpoint's moments are those of the old optimizer"


def _other_steps(runner: Runner, checkpoint: Dict[str, Any]) -> Iterator[str]:
    """Lines about another number of frames in a step or of steps in an epoch, which all that counts steps relies on."""
    was, now = checkpoint['meta'].get('global_batch'), global_batch(runner)
    if was and was != now:
        yield (
            f'a step had {was} frames, now it has {now} (train_dataloader.batch_size x processes): places in an epoch '
            'and the schedule are counted in steps. With other processes, choose the batch_size that gives '
            f'{was} again'
        )
    if not isinstance(runner.train_loop, EpochBasedTrainLoop):
        return
    done, steps = steps_per_epoch(checkpoint), len(runner.train_dataloader)
    if done and done != steps:
        yield (
            f'an epoch had {done} steps, now it has {steps}: another batch size, number of processes, data set, share '
            'of it or class_balanced'
        )
    if checkpoint['meta']['epoch'] > runner.max_epochs:
        yield f'{checkpoint["meta"]["epoch"]} epochs are done, more than train_cfg.max_epochs={runner.max_epochs}'


def global_batch(runner: Runner) -> int:
    """Frames of a step on all processes."""
    return (runner.train_dataloader.batch_size or 0) * get_world_size()


def steps_per_epoch(checkpoint: Dict[str, Any]) -> Optional[int]:
    """Of the run that wrote a checkpoint, where it counted in epochs."""
    info = checkpoint.get('message_hub', {}).get('runtime_info', {})
    epochs, steps = info.get('max_epochs'), info.get('max_iters')
    return steps // epochs if epochs and steps else None


def _other_frames(runner: Runner, checkpoint: Dict[str, Any], changed: List[Difference]) -> Iterator[str]:
    """Lines about frames that would be others in the rest of an epoch than in its beginning."""
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    if not by_epoch or checkpoint['meta']['iter'] % len(runner.train_dataloader) == 0:
        return
    for path, was, now in changed:
        if path.startswith('train_dataloader.') and _FRAMES & set(path.split('.')):
            yield (
                f'{path} was {_short(was)}, now {_short(now)}: the checkpoint is of the middle of an epoch, whose rest '
                'would be of other frames; --resume CHECKPOINT takes one that was written at the end of an epoch'
            )


def _other_schedulers(runner: Runner, checkpoint: Dict[str, Any]) -> bool:
    """MMEngine pairs the schedulers of a checkpoint with the configuration's as far as both go, without a word."""
    was, now = checkpoint.get('param_schedulers') or [], runner.param_schedulers or []
    return isinstance(now, list) and len(was) != len(now)


def _follow(runner: Runner, checkpoint: Dict[str, Any], changed: List[Difference]) -> None:
    """Replace optimizer options and schedulers in a checkpoint by the configuration's, stepped to where the run is."""
    names = ', '.join(path for path, _, _ in changed) or 'the number of schedulers'
    wrapper, schedulers = runner.optim_wrapper, runner.param_schedulers or []
    if not isinstance(wrapper, OptimWrapper) or not isinstance(schedulers, list):
        raise CheckpointError(f'{names}: a change cannot be obeyed with several optimizers. {_INSTEAD}')
    if any(getattr(scheduler, 'need_val_args', False) for scheduler in schedulers):
        raise CheckpointError(f'{names}: a schedule that follows evaluations cannot be counted again. {_INSTEAD}')
    own, saved = wrapper.state_dict(), checkpoint['optimizer']
    sizes = [[len(group['params']) for group in state['param_groups']] for state in (own, saved)]
    if sizes[0] != sizes[1]:
        raise CheckpointError(
            f'{names}: the optimizer has {len(sizes[0])} groups of parameters now and {len(sizes[1])} in the '
            f'checkpoint, or groups of other sizes. {_INSTEAD}'
        )
    _step(schedulers, checkpoint['meta'], len(runner.train_dataloader))
    checkpoint['optimizer'] = {**saved, **wrapper.state_dict(), 'state': saved['state']}
    if 'loss_scaler' in saved:
        checkpoint['optimizer']['loss_scaler'] = saved['loss_scaler']
    checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]


def _step(schedulers: list, meta: Dict[str, Any], steps_an_epoch: int) -> None:
    """Step schedulers as ``ParamSchedulerHook`` has by the moment of a checkpoint."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # there was no step of the optimizer between
        for iteration in range(1, meta['iter'] + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch:
                    scheduler.step()
            if iteration % steps_an_epoch == 0 and iteration // steps_an_epoch <= meta['epoch']:
                for scheduler in schedulers:
                    if scheduler.by_epoch:
                        scheduler.step()
