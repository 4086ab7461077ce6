"""From a configuration file to a checked configuration; shared by the commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import init_default_scope

from ...datasets.clap_dataset import steps_of
from ...errors import ConfigError
from ..checkpoint.compare import checkpoint_state
from ..checkpoint.read import allow_mmengine_checkpoints, load_checkpoint_file
from ..hooks.atomic_checkpoint_hook import resumable_checkpoints
from .check import check_config, check_options
from .laid_out import LaidOutConfig
from .overrides import COPIES, apply_options, parse_options


def load_config(
    path: str, options: Optional[List[str]] = None, work_dir: Optional[str] = None, launcher: str = 'none'
) -> Config:
    """Read a configuration, merge overrides, import what it names and check its keys; join the processes of torchrun
    where there is no GPU.

    Args:
        path: configuration file.
        options: ``KEY=VALUE`` overrides.
        work_dir: where logs and checkpoints go; ``work_dirs/<config name>`` if neither it nor the file says.
        launcher: MMEngine's name of the launcher.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigError: a key that nothing reads or an unknown type, with the nearest valid name.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'configuration {path} does not exist; the ones of this project are in projects/CLAP/configs'
        )
    cfg = LaidOutConfig.of(Config.fromfile(path))
    overrides = parse_options(options or [])
    check_options(cfg, overrides, COPIES)
    for line in apply_options(cfg, overrides):
        if is_main_process():
            print(line, file=sys.stderr)
    cfg.launcher = launcher
    if not torch.cuda.is_available():
        cfg.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})
        # The Softplus of the SDF (beta 100) computes exp(-100 |x|): numbers below 1e-38, on which a CPU is many times
        # slower.
        torch.set_flush_denormal(True)
        _join_on_cpu(cfg)
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(path).stem)
    if 'model' not in cfg:
        raise ConfigError(
            f'{path} has no model: it is no configuration of a run. A plan of a comparison is run by '
            'tools/analysis_tools/label_efficiency.py'
        )
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    check_config(cfg)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        _list_pipelines(cfg.get(name) or {})
    # The same wrapper, which NonFiniteLossHook can ask to look at the gradients.
    if cfg.get('optim_wrapper') and cfg.optim_wrapper.get('type', 'OptimWrapper') == 'OptimWrapper':
        cfg.optim_wrapper.type = 'CheckedOptimWrapper'
    allow_mmengine_checkpoints()
    return cfg


def _list_pipelines(loader: Dict[str, Any]) -> None:
    """Give transforms that have names as a list: MMEngine sorts the keys of a dictionary when it dumps one."""
    dataset = loader.get('dataset')
    while dataset:
        if 'pipeline' in dataset:
            dataset['pipeline'] = steps_of(dataset['pipeline'])
        dataset = dataset.get('dataset')  # of a wrapper


def _join_on_cpu(cfg: Config) -> None:
    """Connect the processes that torchrun started where there is no GPU.

    MMEngine's runner would do it, but asks for a CUDA device whatever the backend is, and wraps the model for one.
    """
    if cfg.launcher == 'pytorch':
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group('gloo')
        cfg.setdefault(
            'model_wrapper_cfg', dict(type='MMDistributedDataParallel', broadcast_buffers=False, device_ids=None)
        )


def check_load_from(cfg: Config) -> None:
    """Have ``load_from`` compared by value where the configuration has no hook for it: MMEngine only warns.

    The encoders are what must arrive. Heads come along from a whole checkpoint if they fit, as in fine-tuning: an
    export has none, and to go on with other heads is a reason for ``load_from``.
    """
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    checked = any(hook and hook.get('type') == 'TransferReportHook' for hook in hooks)
    if cfg.get('load_from') and not cfg.get('resume') and not checked:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='TransferReportHook')]


def skip_downloads(cfg: Config) -> None:
    """Leave out the weights that the image backbone would fetch where a checkpoint brings its own."""
    backbone, source = cfg.model.get('img_backbone'), cfg.get('load_from')
    if not backbone or not backbone.get('init_cfg'):
        return
    brings = cfg.get('resume') and bool(source or resumable_checkpoints(Path(cfg.work_dir)))
    if not brings and source and Path(source).is_file():
        brings = any(key.startswith('img_backbone.') for key in checkpoint_state(load_checkpoint_file(source), source))
    if brings:
        backbone.init_cfg = None


def use_amp(cfg: Config) -> None:
    """Switch the optimiser wrapper to automatic mixed precision."""
    if cfg.optim_wrapper.type not in ('CheckedOptimWrapper', 'AmpOptimWrapper'):
        raise ConfigError(f'--amp needs optim_wrapper.type CheckedOptimWrapper, got {cfg.optim_wrapper.type}')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    if cfg.optim_wrapper.get('clip_grad'):  # the loss scaler looks for infinite gradients itself, and skips the step
        cfg.optim_wrapper.clip_grad['error_if_nonfinite'] = False
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
