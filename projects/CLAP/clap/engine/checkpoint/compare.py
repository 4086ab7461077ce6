"""What a checkpoint gave a model: compared by value after loading, told module by module."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional

import torch
from torch import Tensor, nn

from ...encoders import view_transform
from ...errors import CheckpointError
from ...files.text_table import text_table

#: Entries that follow from the configuration and are no weights.
GEOMETRY = tuple(f'view_transform.{name}' for name in view_transform.GEOMETRY)


def checkpoint_state(content: Any, name: str = 'the file') -> Dict[str, Tensor]:
    """The entries of a loaded checkpoint by name, without the prefix of a distributed wrapper.

    Raises:
        CheckpointError: there are none.
    """
    state = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        what = (
            f'a dict with {", ".join(map(str, list(content)[:5])) or "nothing"}'
            if isinstance(content, Mapping)
            else f'a {type(content).__name__}'
        )
        raise CheckpointError(
            f'{name} holds no weights: expected a checkpoint with a state_dict of tensors, found '
            f'{what}. Give a file that tools/train.py or tools/export_weights.py wrote'
        )
    return {re.sub(r'^module\.', '', key): value for key, value in state.items()}


@dataclass
class ModuleReport:
    """One top-level module of the model.

    Attributes:
        total, taken: numbers of the model's entries, and of those that hold the checkpoint's values now.
        missing: entries that the checkpoint does not have.
        other_shape: entries of another shape in the checkpoint.
        not_taken: entries of the same shape whose values are nevertheless not the checkpoint's.
        not_finite: entries with NaN or infinity.
        unexpected: entries of the checkpoint that the model does not have.
        numbers, taken_numbers: as ``total`` and ``taken``, counted in numbers instead of entries.
    """

    total: int = 0
    taken: int = 0
    missing: List[str] = field(default_factory=list)
    other_shape: List[str] = field(default_factory=list)
    not_taken: List[str] = field(default_factory=list)
    not_finite: List[str] = field(default_factory=list)
    unexpected: List[str] = field(default_factory=list)
    numbers: int = 0
    taken_numbers: int = 0

    @property
    def share(self) -> float:
        """Share of the module's numbers that come from the checkpoint."""
        return self.taken_numbers / self.numbers if self.numbers else 0.0


def compare(model: nn.Module, source: Mapping[str, Tensor]) -> Dict[str, ModuleReport]:
    """Compare a model, after loading, with the entries it was loaded from; by top-level module.

    The geometry of the view transform counts nowhere: the configuration sets it.
    """
    reports: Dict[str, ModuleReport] = {}
    own = model.state_dict()
    for key, value in own.items():
        if key in GEOMETRY:
            continue
        report = reports.setdefault(key.split('.')[0], ModuleReport())
        report.total += 1
        report.numbers += value.numel()
        if key not in source:
            report.missing.append(key)
            continue
        given = _in_layout_of(value, source[key])
        if given is None:
            report.other_shape.append(f'{key}: {tuple(source[key].shape)} in the checkpoint, {tuple(value.shape)} here')
        elif not bool(torch.isfinite(given.float()).all()):
            report.not_finite.append(key)
        elif torch.equal(given.to(value.dtype), value.detach().cpu()):
            report.taken += 1
            report.taken_numbers += value.numel()
        else:
            report.not_taken.append(key)
    for key in source:
        if key not in own:
            reports.setdefault(key.split('.')[0], ModuleReport()).unexpected.append(key)
    return reports


def _in_layout_of(own: Tensor, given: Tensor) -> Optional[Tensor]:
    """The checkpoint's tensor in the layout of the model's, None if there is none.

    Kernels (kx, ky, kz, in, out) of mmcv's sparse convolutions become spconv's (out, kx, ky, kz, in), which is what
    loading does with them.
    """
    given = given.detach().cpu()
    if given.shape == own.shape:
        return given
    if given.dim() == own.dim() == 5 and given.permute(4, 0, 1, 2, 3).shape == own.shape:
        return given.permute(4, 0, 1, 2, 3)
    return None


def other_geometry(own: Mapping[str, Tensor], source: Mapping[str, Tensor]) -> List[str]:
    """Entries of the view transform's geometry that a checkpoint has otherwise than the model, both told."""
    found = []
    for key in GEOMETRY:
        if key in own and key in source:
            here, there = own[key].detach().cpu().double(), source[key].detach().cpu().double()
            if here.shape != there.shape:
                found.append(f'{key}: {tuple(there.shape)} in the checkpoint, {tuple(here.shape)} here')
            elif not torch.allclose(here, there, rtol=1e-5, atol=1e-5):
                found.append(f'{key}: {_ends(there)} in the checkpoint, {_ends(here)} here')
    return found


def _ends(value: Tensor) -> str:
    first, last = ([round(v, 4) for v in part.tolist()] for part in (value.flatten()[:3], value.flatten()[-3:]))
    return f'{first}' if value.numel() <= 3 else f'{first} to {last}'


def loadable_state(content: Mapping[str, Any], name: str) -> OrderedDict[str, Tensor]:
    """:func:`checkpoint_state` with the file's metadata, from which spconv reads the layout of its kernels."""
    state = OrderedDict(checkpoint_state(content, name))
    state._metadata = getattr(content.get('state_dict', content), '_metadata', {})  # type: ignore[attr-defined]
    return state


def load_whole(model: nn.Module, content: Mapping[str, Any], name: str) -> None:
    """Load a checkpoint of which nothing may be left out.

    Args:
        model: without a distributed wrapper.
        content: the loaded file.
        name: of the checkpoint.

    Raises:
        CheckpointError: an entry is missing, of another shape, refused by the model or unknown to it.
    """
    state = loadable_state(content, name)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise mismatch(model, state, name, error) from error


def mismatch(model: nn.Module, source: Mapping[str, Tensor], name: str, error: Exception) -> CheckpointError:
    """Why a checkpoint cannot be loaded whole into a model: every entry that does not fit, and the table.

    Args:
        model: as the attempt has left it, with the checkpoint's values wherever they were taken.
        source: the checkpoint's entries.
        name: of the checkpoint.
        error: of the attempt; passed on where the entries do not show a reason.
    """
    own, reports = model.state_dict(), compare(model, source)
    lines = [f'{key} is missing in the checkpoint' for key in own if key not in source]
    lines += [line for report in reports.values() for line in report.other_shape]
    lines += [f'{key} is in the checkpoint, the model has no such entry' for key in source if key not in own]
    refused = [key for report in reports.values() for key in report.not_taken]
    geometry, hint = other_geometry(own, source), _layout_hint(refused)
    other_model = bool(lines or geometry)
    what = 'is no checkpoint of' if other_model else 'could not be loaded whole into'
    parts = [f'{name} {what} the model in this configuration']
    if geometry:
        parts.append(
            '  - ' + '; '.join(geometry) + ': geometry of the view transform, which follows from the '
            'configuration. The checkpoint was trained with another image size or other bounds'
        )
    parts += [f'  - {line}' for line in lines[:8]] + ([f'  ... and {len(lines) - 8} more'] if len(lines) > 8 else [])
    if refused:
        parts.append(f'  - {len(refused)} entries of fitting shape were refused by the model, e.g. {refused[0]}{hint}')
    if lines or refused:
        bad = [name for name, r in reports.items() if r.missing or r.other_shape or r.not_taken or r.unexpected]
        parts.append('"!": does not fit; "loaded": entries of equal value\n' + table(reports, bad, '!'))
    elif not geometry:
        parts.append(f'  - {error}')
    if other_model or not hint:  # else the hint is what to do
        parts.append(
            'Give the configuration and the --cfg-options that the checkpoint was trained with (its work '
            'directory has a copy)'
        )
    return CheckpointError('\n'.join(parts))


def table(reports: Mapping[str, ModuleReport], asked: Iterable[str], mark: str = '*') -> str:
    """The report for people; modules that were asked for carry ``mark``."""
    asked = set(asked)
    rows = [
        [
            f'{mark if name in asked else " "} {name}',
            report.total,
            report.taken,
            len(report.missing),
            len(report.other_shape),
            len(report.not_taken) + len(report.not_finite),
            len(report.unexpected),
            f'{report.share:.2%}' if report.total else '-',
        ]
        for name, report in reports.items()
    ]
    return text_table(['module', 'entries', 'loaded', 'missing', 'shape', 'refused', 'unexpected', 'share'], rows)


def problems(reports: Mapping[str, ModuleReport], asked: Iterable[str], min_share: float) -> List[str]:
    """Why the transfer is not what was asked for; empty if it is."""
    found = []
    for name in asked:
        report = reports.get(name, ModuleReport())
        if not report.total:
            found.append(f'{name}: the model has no such module')
            continue
        if report.other_shape:
            found.append(f'{name}: another architecture, e.g. {report.other_shape[0]}')
        if report.not_finite:
            found.append(f'{name}: NaN or infinity in {", ".join(report.not_finite[:3])}')
        if report.not_taken:
            found.append(
                f'{name}: {len(report.not_taken)} entries were refused by the model, e.g. '
                f'{report.not_taken[0]}' + _layout_hint(report.not_taken)
            )
        if report.share < min_share:
            found.append(
                f'{name}: {report.share:.2%} of its numbers come from the checkpoint, at least '
                f'{min_share:.2%} were asked for' + (f'; missing, e.g. {report.missing[0]}' if report.missing else '')
            )
    return found


def _layout_hint(names: List[str]) -> str:
    if names and all(name.startswith('pts_middle_encoder') for name in names):
        return (
            ' (sparse kernels: the file has lost the layout version that spconv reads from the metadata of the '
            'state dict, which a rebuilt plain dict does not have; give the file that tools/train.py or '
            'tools/export_weights.py wrote)'
        )
    return ''
