"""What a configuration says in several places must be one: ranges, voxel and image sizes, classes."""

from __future__ import annotations

from typing import Any, Callable, Collection, Iterator, List, Sequence, Tuple

from mmengine.config import Config

Place = Tuple[str, Any]
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_EVALUATORS = ('val_evaluator', 'test_evaluator')
#: Metres, and numbers of any other unit that is written by hand.
_TOLERANCE = 1e-3


def contradictions(cfg: Config) -> List[str]:
    """One line per value that differs from what the same fact is elsewhere; both places and values are told."""
    parts = [(name, cfg[name]) for name in ('model', *_LOADERS, *_EVALUATORS) if cfg.get(name)]
    found = [place for name, part in parts for place in _entries(part, name)]
    model = cfg.get('model') or {}
    voxels = model.get('voxelize_cfg') or {}
    ranges = [*_named(voxels, 'model.voxelize_cfg', 'point_cloud_range')]
    ranges += _with_keys(found, ('point_cloud_range', 'pc_range'))
    sizes = [*_named(voxels, 'model.voxelize_cfg', 'voxel_size')]
    sizes += _with_keys(found, ('voxel_size',))
    images = [*_named(model.get('view_transform') or {}, 'model.view_transform', 'image_size')]
    images += _with_keys(found, ('final_dim',)) if images else []
    lines = [*_unlike(ranges, _same_numbers), *_unlike(sizes, _same_numbers), *_unlike(images, _same_numbers)]
    return [*lines, *_classes(found)]


def loose_ends(cfg: Config) -> List[str]:
    """A line if the schedules by epochs that say where they end do not end with the run."""
    epochs, schedulers = (cfg.get('train_cfg') or {}).get('max_epochs'), cfg.get('param_scheduler') or []
    listed = schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]
    ends = {f'param_scheduler[{i}].end': s.get('end') for i, s in enumerate(listed) if s.get('by_epoch', True)}
    if not epochs or not ends or None in ends.values():
        return []  # without an end one is as long as the run
    last = max(ends, key=lambda path: ends[path])
    if ends[last] == epochs:
        return []
    what = 'is cut off before its end' if ends[last] > epochs else 'stays at its last value from there on'
    return [
        f'train_cfg.max_epochs is {epochs}, but {last} is {ends[last]}: the schedule {what}. Move begin, end and T_max '
        'of param_scheduler with the length of the run'
    ]


def _entries(node: Any, path: str) -> Iterator[Place]:
    """Every key below a node with its dotted path."""
    items = enumerate(node) if isinstance(node, (list, tuple)) else node.items() if isinstance(node, dict) else ()
    for key, value in items:
        place = f'{path}[{key}]' if isinstance(key, int) else f'{path}.{key}'
        yield place, value
        yield from _entries(value, place)


def _named(node: Any, path: str, key: str) -> Iterator[Place]:
    if node.get(key) is not None:
        yield f'{path}.{key}', node[key]


def _with_keys(found: Sequence[Place], keys: Collection[str]) -> List[Place]:
    return [(path, value) for path, value in found if path.rpartition('.')[2] in keys and value is not None]


def _same_numbers(a: Sequence[float], b: Sequence[float]) -> bool:
    """As far as both go: a box of a head may be x and y alone."""
    return all(abs(x - y) < _TOLERANCE for x, y in zip(a, b))


def _unlike(places: List[Place], same: Callable[[Any, Any], bool]) -> Iterator[str]:
    for path, value in places[1:]:
        if path != places[0][0] and not same(value, places[0][1]):
            yield f'{path} is {_short(value)}, but {places[0][0]} is {_short(places[0][1])}'


def _short(value: Any) -> str:
    return str(list(value) if isinstance(value, tuple) else value)


def _classes(found: Sequence[Place]) -> Iterator[str]:
    """Names, in their order, of data sets, filters, metrics and heads, and the number of a detection head's."""
    names = [(path, list(value)) for path, value in found if path.endswith('.classes') and _is_names(value)]
    names.sort(key=lambda place: not place[0].endswith('.metainfo.classes'))  # labels are numbers of these
    names += [(path, [n for task in value for n in task['class_names']]) for path, value in found if _is_tasks(value)]
    yield from _unlike(names, lambda a, b: a == b)
    if not names:
        return
    for path, value in found:
        if path.endswith('_head.num_classes') and value != len(names[0][1]):
            yield f'{path} is {value}, but {names[0][0]} has {len(names[0][1])}: {", ".join(names[0][1])}'


def _is_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)


def _is_tasks(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(task, dict) and 'class_names' in task for task in value)
    )
