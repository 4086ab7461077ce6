"""Overrides from the command line, ``KEY=VALUE``."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any, Dict, List, Optional, Sequence

from mmdet3d import registry
from mmengine.config import Config, DictAction

from ...errors import ConfigError
from .check import accepted_keys, find_class

#: What a data set's file says once, and the keys under which pipelines and models have copies of it.
COPIES = dict(point_cloud_range=('point_cloud_range',), image_size=('image_size', 'final_dim'))
_DICT = re.compile(r'\s*(\{.*\}|dict\(.*\))\s*$', re.DOTALL)


def parse_options(options: List[str]) -> dict:
    """``['a.b=1', 'c=[1,2]']`` -> dict, with MMEngine's rules for values.

    Raises:
        ConfigError: not ``KEY=VALUE``, a value that is a dict, brackets that do not close.
    """
    parsed = {}
    for option in options:
        name, equals, value = option.partition('=')
        if not equals or not name:
            raise ConfigError(f"--cfg-options takes KEY=VALUE, got '{option}'")
        if _DICT.match(value):
            raise ConfigError(
                f"--cfg-options {option}: a value cannot be a dict; give its keys one by one: "
                f'{name}.type=NAME {name}.KEY=VALUE'
            )
        try:
            parsed[name] = DictAction._parse_iterable(value)
        except (AssertionError, RecursionError, ValueError):
            raise ConfigError(f'--cfg-options {option}: the brackets of the value do not close') from None
    return parsed


def apply_options(cfg: Config, overrides: Dict[str, Any]) -> List[str]:
    """Merge overrides into ``cfg``; where one changes a ``type``, inherited keys that the new type lacks are dropped.

    ``point_cloud_range`` and ``image_size`` of the top level change their copies in pipelines and model too.

    Returns:
        a line for every dict that lost keys.

    Raises:
        ConfigError: an override leads into something that is no dict or list.
    """
    for name in sorted(set(COPIES) & set(overrides)):
        _replace(cfg, COPIES[name], cfg.get(name), overrides[name])
    for name in overrides:
        _open(cfg, name, overrides)
    try:
        cfg.merge_from_dict(overrides)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f'--cfg-options {" ".join(f"{k}={v}" for k, v in overrides.items())}: {error}') from None
    said = []
    for name, value in overrides.items():
        place, _, key = name.rpartition('.')
        if key != 'type' or not isinstance(value, str):
            continue
        node, accepted = _at(cfg, place), _accepted(value)
        if accepted is None or not isinstance(node, dict):
            continue
        own = {other[len(place) + 1 :].split('.')[0] for other in overrides if other.startswith(f'{place}.')}
        dropped = [key for key in node if key not in accepted and key not in own]
        for key in dropped:
            del node[key]
        if dropped:
            said.append(f'{name}={value}: it does not know {", ".join(f"{place}.{key}" for key in dropped)}; dropped')
    return said


def _open(cfg: Config, name: str, overrides: Dict[str, Any]) -> None:
    """Make room for an override below something that the configuration leaves out by ``None``."""
    node: Any = cfg._cfg_dict
    words = name.split('.')
    for place, word in enumerate(words[:-1], 1):
        if not isinstance(node, dict) or word not in node:
            return
        if node[word] is None:
            path = '.'.join(words[:place])
            if f'{path}.type' not in overrides:
                raise ConfigError(
                    f'--cfg-options {name}: this configuration leaves {path} out; {path}.type=NAME adds it'
                )
            node[word] = {}
        node = node[word]


def _replace(node: Any, keys: Sequence[str], old: Any, new: Any) -> None:
    for key, value in enumerate(node) if isinstance(node, list) else node.items():
        if key in keys and value == old:
            node[key] = copy.copy(new)
        elif isinstance(value, (dict, list)):
            _replace(value, keys, old, new)


def _at(cfg: Config, place: str) -> Any:
    node: Any = cfg
    for word in place.split('.'):
        node = node[int(word)] if isinstance(node, (list, tuple)) else node.get(word)
        if node is None:
            return None
    return node


def _accepted(name: str) -> Optional[set]:
    cls = find_class(name) or registry.OPTIMIZERS.get(name)
    keys = accepted_keys(cls) if inspect.isclass(cls) else None
    return None if keys is None else keys | {'type', '_scope_'}
