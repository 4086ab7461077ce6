"""The directions in which the rooms may import each other: downwards only, and no two files in a circle."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Dict, List, Set

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / 'projects' / 'CLAP'
PACKAGE = PROJECT / 'clap'

#: The rooms of the package from the bottom up; each may import those above it in this list.
ROOMS = (
    'functional',
    'structures',
    'errors',
    'files',
    'findings',
    'neighbours',
    'modules',
    'encoders',
    'pretrain',
    'downstream',
    'datasets',
    'evaluation',
    'engine',
    'report',
    'visualization',
    'analysis',
)
#: Beside the package: what they may use of it, and of each other.
BESIDE = {
    'simulation': {'datasets', 'errors', 'files', 'functional'},
    'doctor': set(ROOMS),
    'comparison': set(ROOMS),
}


def module_of(path: Path) -> str:
    """Dotted name of a file below the root."""
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def imports(path: Path) -> Set[str]:
    """Dotted names of our modules that a file imports, at its top or inside functions."""
    package = module_of(path) if path.name == '__init__.py' else module_of(path).rpartition('.')[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split('.')[: len(package.split('.')) - node.level + 1] if node.level else []
            base = '.'.join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f'{base}.{alias.name}'
                place = ROOT.joinpath(*name.split('.'))
                found.add(name if place.is_dir() or place.with_suffix('.py').is_file() else base)
    return {name for name in found if name.startswith('projects.CLAP')}


def room(module: str) -> str:
    """``projects.CLAP.clap.engine.hooks`` -> ``engine``; '' for the package itself."""
    parts = module.split('.')[2:]
    return (parts[1] if len(parts) > 1 else '') if parts and parts[0] == 'clap' else (parts[0] if parts else '')


def files_of(name: str) -> List[Path]:
    folder = (PROJECT if name in BESIDE else PACKAGE) / name
    return sorted(folder.rglob('*.py')) or [folder.with_suffix('.py')]


def test_every_room_is_in_the_list() -> None:
    inside = {p.stem for p in PACKAGE.iterdir() if (p.is_dir() or p.suffix == '.py') and not p.name.startswith('__')}
    assert inside == set(ROOMS)
    beside = {path.parent.relative_to(PROJECT).parts[0] for path in PROJECT.rglob('*.py')}
    assert beside - {'clap', 'configs'} == set(BESIDE)


@pytest.mark.parametrize('name', [*ROOMS, *BESIDE])
def test_imports_point_downwards(name: str) -> None:
    allowed = BESIDE[name] if name in BESIDE else set(ROOMS[: ROOMS.index(name)])
    for path in files_of(name):
        extra = {room(module) for module in imports(path)} - allowed - {name}
        assert not extra, f'{path.relative_to(PROJECT)} must not import {sorted(extra)}'


def circle(graph: Dict[str, Set[str]]) -> List[str]:
    """Some names that need each other in a circle, empty if there are none."""
    done: Set[str] = set()

    def visit(name: str, way: List[str]) -> List[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            found = visit(other, [*way, name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def test_no_two_files_import_each_other_in_a_circle() -> None:
    files = [path for name in (*ROOMS, *BESIDE) for path in files_of(name)]
    graph = {module_of(path): imports(path) - {module_of(path)} for path in files}
    # A file that takes a name from its own package's __init__ waits for it to be loaded; the packages' own
    # lists of what they hold are no such need.
    packages = {module_of(path) for path in files if path.name == '__init__.py'}
    graph = {
        name: {o for o in others if name not in packages or not o.startswith(name)} for name, others in graph.items()
    }
    assert not circle(graph), ' -> '.join(circle(graph))


def test_functional_needs_nothing_but_torch() -> None:
    allowed = {'torch', 'math', 'typing', '__future__', 'functools', 'dataclasses', 'collections'}
    for path in (PACKAGE / 'functional').glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in names:
                assert name.split('.')[0] in allowed, f'{path.name} imports {name}'
        assert 'nn.Module' not in path.read_text()


def test_the_checks_see_what_they_look_for() -> None:
    assert imports(PACKAGE / 'modules' / 'sdf_field.py') >= {'projects.CLAP.clap.functional'}
    assert room('projects.CLAP.clap.engine.hooks') == 'engine' and room('projects.CLAP.doctor.data') == 'doctor'
    assert 'datasets' in {room(module) for path in files_of('engine') for module in imports(path)}, (
        'inside functions too'
    )
    assert circle({'a': {'b'}, 'b': {'c'}, 'c': {'a'}}) == ['a', 'b', 'c', 'a'] and not circle({'a': {'b'}, 'b': set()})
