"""The directions in which the packages may import each other."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Set

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'projects' / 'CLAP' / 'clap'

#: What each package may import of ours, besides itself.
ALLOWED = {
    'functional': set(),
    'structures': set(),
    'modules': {'functional', 'structures'},
    'samplers': {'functional', 'modules', 'structures'},
    'heads': {'functional', 'modules', 'structures'},
    'models': {'functional', 'modules', 'samplers', 'structures', 'utils'},
    'datasets': {'functional', 'structures', 'utils'},
    'simulation': {'datasets', 'functional', 'utils'},
    'evaluation': {'datasets', 'functional', 'structures'},
    'visualization': {'functional', 'modules', 'samplers', 'structures'},
    'report': {'utils'},
    'experiments': {'datasets', 'hooks', 'report', 'utils'},
}


def our_imports(path: Path) -> Set[str]:
    """Top-level packages of ours that a file imports."""
    found = set()
    depth = len(path.relative_to(PACKAGE).parts) - 1  # packages between the file and ours
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ''
            if module.startswith('projects.CLAP.clap'):
                found.add(module.split('.')[3] if module.count('.') >= 3 else '')
            elif node.level == depth + 1:
                found |= {module.split('.')[0]} if module else {alias.name for alias in node.names}
            assert node.level <= depth + 1, f'{path} climbs out of the package'
    return found


@pytest.mark.parametrize('package', sorted(ALLOWED))
def test_imports_point_downwards(package: str) -> None:
    files = sorted((PACKAGE / package).rglob('*.py')) or [PACKAGE / f'{package}.py']
    assert files
    for path in files:
        extra = our_imports(path) - ALLOWED[package] - {package}
        assert not extra, f'{path.relative_to(PACKAGE)} must not import {sorted(extra)}'


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


def test_the_check_sees_an_upward_import(tmp_path: Path) -> None:
    probe = PACKAGE / 'functional' / 'neus.py'
    assert our_imports(probe) <= {'functional'}
    assert 'functional' in our_imports(PACKAGE / 'modules' / 'sdf_field.py')
    assert 'modules' in our_imports(PACKAGE / 'heads' / 'neus_render_head.py')
