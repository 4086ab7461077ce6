"""Finds misspelt configuration keys before anything is built."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from mmdet3d import registry
from mmengine.config import Config
from mmengine.registry import FUNCTIONS, Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...errors import ConfigError
from .agreement import contradictions

_REGISTRIES = (
    'MODELS',
    'DATASETS',
    'TRANSFORMS',
    'HOOKS',
    'METRICS',
    'TASK_UTILS',
    'DATA_SAMPLERS',
    'PARAM_SCHEDULERS',
    'OPTIM_WRAPPERS',
    'LOOPS',
    'VISUALIZERS',
    'VISBACKENDS',
    'LOG_PROCESSORS',
)
_OTHER_REGISTRIES = ('OPTIMIZERS', 'OPTIM_WRAPPER_CONSTRUCTORS', 'WEIGHT_INITIALIZERS')
#: Keys that a builder takes out before the class sees the rest.
_TAKEN_BY_BUILDER = {'type', '_scope_'}
#: Keys that the runner takes out, or puts in, before it builds what is below these roots.
_TAKEN_BY_RUNNER = {
    'train_cfg': {'by_epoch'},
    'optim_wrapper': {'constructor', 'paramwise_cfg'},
    'param_scheduler': {'convert_to_iter_based'},
}
#: Hooks that MMEngine's runner has by itself; ``default_hooks`` changes them without a ``type``.
HOOKS_OF_MMENGINE = ('runtime_info', 'timer', 'logger', 'param_scheduler', 'checkpoint', 'sampler_seed')
_ROOTS = (
    'model',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'val_evaluator',
    'test_evaluator',
    'default_hooks',
    'custom_hooks',
    'visualizer',
    'train_cfg',
    'val_cfg',
    'test_cfg',
    'optim_wrapper',
    'param_scheduler',
    'log_processor',
)


def accepted_keys(cls: type) -> Optional[Set[str]]:
    """Names that a class takes, its parents' included where it passes ``**kwargs`` on; None if that cannot be known."""
    names: Set[str] = set()
    for parent in cls.__mro__:
        if '__init__' not in parent.__dict__ or parent is object:
            continue
        parameters = inspect.signature(parent.__init__).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names - {'self'}
    return None


def find_class(name: str) -> Optional[type]:
    """The registered class of a ``type`` string, from whichever registry has it."""
    for registry_name in _REGISTRIES:
        found = getattr(registry, registry_name).get(name)
        if inspect.isclass(found):
            return found
    return None


def _without_type(named: Optional[dict], known: Iterable[str] = ()) -> Tuple[dict, Set[str]]:
    """Entries of a dict of hooks or transforms that would change one which is not there, and the names that are."""
    named = named or {}
    changed = {name: entry for name, entry in named.items() if isinstance(entry, dict) and 'type' not in entry}
    return changed, set(known) | set(named) - set(changed)


def _nested(cfg: Config) -> Iterator[Tuple[str, dict, Set[str], str]]:
    """Dicts without a ``type`` whose reader is known: path, content, accepted keys, name of the reader."""
    model = cfg.get('model', {})
    cls = find_class(model['type']) if isinstance(model.get('type'), str) else model.get('type')
    for name, keys in (cls.option_keys() if hasattr(cls, 'option_keys') else {}).items():
        if model.get(name):
            yield f'model.{name}', model[name], keys, f'{cls.__name__}.{name}'
    if cfg.get('optim_wrapper', {}).get('optimizer'):
        optimizer = cfg.optim_wrapper.optimizer
        cls = registry.OPTIMIZERS.get(optimizer['type']) if isinstance(optimizer.get('type'), str) else None
        if cls is not None:
            yield 'optim_wrapper.optimizer', optimizer, accepted_keys(cls) or set(optimizer), optimizer['type']
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name):
            yield name, cfg[name], (accepted_keys(DataLoader) or set()) | {'num_batch_per_epoch'}, 'DataLoader'
            steps = cfg[name].get('dataset', {}).get('pipeline')
            if isinstance(steps, dict):
                yield f'{name}.dataset.pipeline', *_without_type(steps), 'pipeline'
    if cfg.get('env_cfg'):
        yield 'env_cfg', cfg.env_cfg, {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'}, 'env_cfg'
    if cfg.get('auto_scale_lr'):
        yield 'auto_scale_lr', cfg.auto_scale_lr, {'enable', 'base_batch_size'}, 'auto_scale_lr'
    yield 'default_hooks', *_without_type(cfg.get('default_hooks'), HOOKS_OF_MMENGINE), 'default_hooks'


def unread(path: str, node: dict, accepted: Set[str], reader: str) -> Iterator[str]:
    """One line per key of a dict that its reader does not know, with the nearest one that it does."""
    for key in sorted(set(node) - accepted - _TAKEN_BY_BUILDER):
        near = difflib.get_close_matches(key, accepted, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f'it takes: {", ".join(sorted(accepted))}'
        yield f"{path}.{key}: {reader} has no '{key}'; {hint}"


def typed_dicts(node: Any, path: str = '') -> Iterator[Tuple[str, dict]]:
    """Every dict with a ``type`` below a config node, with its dotted path."""
    if isinstance(node, dict):
        if isinstance(node.get('type'), (str, type)):
            yield path, node
        for key, value in node.items():
            yield from typed_dicts(value, f'{path}.{key}' if path else str(key))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from typed_dicts(value, f'{path}[{index}]')


def _unknown_type(path: str, node: dict) -> str:
    """A line about a ``type`` that no registry has, with the names most like it; empty if it is known."""
    name = node['type']
    if inspect.isclass(name) or '.' in name or '(' in name:  # a class, or of another library's scope
        return ''
    kinds: List[Registry] = [getattr(registry, kind) for kind in (*_REGISTRIES, *_OTHER_REGISTRIES)]
    kinds.append(FUNCTIONS)  # collate and worker functions
    if any(kind.get(name) is not None for kind in kinds):
        return ''
    known: Set[str] = set()
    for kind in kinds:
        above: Optional[Registry] = kind
        while above is not None:
            known |= set(above.module_dict)
            above = above.parent
    words = _words(name)
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.8) + sorted(k for k in known if words <= _words(k))
    hint = (
        f'did you mean {" or ".join(repr(k) for k in list(dict.fromkeys(near))[:3])}?'
        if near
        else 'is it spelt right, and its module named in custom_imports?'
    )
    return f"{path}.type: there is no '{name}'; {hint}"


def _words(name: str) -> Set[str]:
    return set(re.findall(r'[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+', name))


def unknown_keys(cfg: Config) -> List[str]:
    """One line per key that its class does not take, with the nearest name that it does."""
    problems = []
    for root in _ROOTS:
        for path, node in typed_dicts(cfg.get(root), root):
            cls = node['type'] if inspect.isclass(node['type']) else find_class(node['type'])
            if cls is None or cls.__module__.startswith('torch.nn'):
                continue  # torch's layers: mmcv's builders take keys out
            accepted = accepted_keys(cls)
            if accepted is None:
                continue
            problems += unread(path, node, accepted | _TAKEN_BY_RUNNER.get(root, set()), cls.__name__)
        problems += [
            line for line in (_unknown_type(path, node) for path, node in typed_dicts(cfg.get(root), root)) if line
        ]
    for path, node, accepted, reader in _nested(cfg):
        problems += unread(path, node, accepted, reader)
    return sorted(problems)


def check_options(cfg: Config, options: dict, also: Sequence[str] = ()) -> None:
    """Raise :class:`ConfigError` for overrides of something that the configuration does not have.

    Args:
        cfg: the configuration before the overrides are merged in.
        options: the command line's overrides by dotted name.
        also: names that are obeyed besides the runner's own.
    """
    known = set(inspect.signature(Runner.__init__).parameters) | {'auto_scale_lr', 'custom_imports', *also}
    problems = []
    for name in options:
        top = name.split('.')[0]
        if top in cfg and top not in known:
            problems.append(
                f"--cfg-options {name}: '{top}' is a part that configuration files are made of, and is read no more; "
                'change it where it went (train_dataloader..., val_evaluator..., model...)'
            )
        elif top not in known:
            near = difflib.get_close_matches(top, known, n=1)
            problems.append(
                f"--cfg-options {name}: there is no '{top}'" + (f"; did you mean '{near[0]}'?" if near else '')
            )
    if problems:
        raise ConfigError('\n'.join(problems))


def doubled_hooks(cfg: Config) -> List[str]:
    """One line per entry of ``custom_hooks`` whose kind has a name in ``default_hooks``: both would run."""
    named = {hook['type']: name for name, hook in (cfg.get('default_hooks') or {}).items() if hook and 'type' in hook}
    listed = cfg.get('custom_hooks') or []
    if not isinstance(listed, (list, tuple)):
        return [f'custom_hooks is a {type(listed).__name__}, expected a list; hooks of ours: default_hooks.NAME.KEY']
    return [
        f'custom_hooks: {hook["type"]} is there already; change it by its name: default_hooks.{named[hook["type"]]}'
        for hook in listed
        if isinstance(hook, dict) and hook.get('type') in named
    ]


def seedless_wrappers(cfg: Config) -> List[str]:
    """One line per data set wrapper that drops the seed of SeededSampler's index."""
    return [
        f'{path}: {node["type"]} drops the seed that SeededSampler gives each frame, so that a resumed run would not '
        'go on as it began; balance classes by train_dataloader.dataset.class_balanced=True'
        for path, node in typed_dicts(cfg.get('train_dataloader'), 'train_dataloader')
        if node['type'] in ('CBGSDataset', 'ClassBalancedDataset')
    ]


def check_config(cfg: Config) -> None:
    """Raise :class:`ConfigError` that lists every key of ``cfg`` which nothing would read, every doubled hook, every
    wrapper that would break an exact resume, or every contradiction.

    Args:
        cfg: the whole configuration; the modules it names must have been imported.
    """
    problems = unknown_keys(cfg)
    if problems:
        raise ConfigError('configuration keys that nothing reads:\n  ' + '\n  '.join(problems))
    problems = doubled_hooks(cfg)
    if problems:
        raise ConfigError('hooks that cannot be used as given:\n  ' + '\n  '.join(problems))
    problems = seedless_wrappers(cfg)
    if problems:
        raise ConfigError('data sets that cannot be used as given:\n  ' + '\n  '.join(problems))
    problems = contradictions(cfg)
    if problems:
        raise ConfigError(
            'what must be one is said in several ways:\n  '
            + '\n  '.join(problems)
            + '\nMake them equal; --cfg-options point_cloud_range=... and image_size=... change every copy'
        )
