"""The image backbone's own weights (``init_cfg``), in whichever layout the file has, compared by value."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping

import torch
from mmdet.models.backbones.swin import swin_converter
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ...errors import CheckpointError
from .compare import checkpoint_state, compare

MIN_SHARE = 0.99


def init_model(model: nn.Module) -> None:
    """``model.init_weights()``, with the backbone's ``Pretrained`` weights found in the file and checked afterwards.

    mmdetection takes one layout of names, leaves out what it does not know and goes on from random weights.

    Raises:
        CheckpointError: less than 99 % of the backbone's numbers come from the file, or an entry has another shape.
    """
    backbone = getattr(model, 'img_backbone', None)
    cfg = getattr(backbone, 'init_cfg', None)
    if not isinstance(cfg, dict) or cfg.get('type') != 'Pretrained':
        model.init_weights()
        return
    name, is_swin = cfg['checkpoint'], hasattr(backbone, 'convert_weights')
    source = backbone_state(backbone, CheckpointLoader.load_checkpoint(name, map_location='cpu'), name, is_swin)
    own = backbone.state_dict()
    other = [key for key in own if key in source and source[key].shape != own[key].shape]
    # Of another window size: tables are interpolated while loading, indices follow from the configuration.
    source = {key: value for key, value in source.items() if key not in other or 'relative_position_index' not in key}
    wrong = [key for key in other if 'relative_position' not in key]
    if wrong:
        lines = [f'{key}: {tuple(source[key].shape)} in the file, {tuple(own[key].shape)} here' for key in wrong]
        raise _refused(name, lines)
    with tempfile.TemporaryDirectory(prefix='clap-backbone-') as folder:
        file = Path(folder) / 'backbone.pth'
        torch.save({('backbone.' if is_swin else '') + key: value for key, value in source.items()}, file)
        backbone.init_cfg = ConfigDict(type='Pretrained', checkpoint=str(file))
        if is_swin:
            converts, backbone.convert_weights = backbone.convert_weights, False  # done in backbone_state
        model.init_weights()
    backbone.init_cfg = cfg
    if is_swin:
        backbone.convert_weights = converts
    _check(backbone, source, name)


def backbone_state(backbone: nn.Module, content: Any, name: str, is_swin: bool) -> Dict[str, Tensor]:
    """The entries of a loaded file under the backbone's names: of Swin's authors, of a detector, of a run of ours.

    Args:
        backbone: the module that they are for.
        content: of the file.
        name: of the file.
        is_swin: whether the names of Swin's authors are converted.
    """
    if isinstance(content, Mapping) and isinstance(content.get('model'), Mapping):
        content = content['model']
    state, own = checkpoint_state(content, name), set(backbone.state_dict())

    def below(prefix: str) -> Dict[str, Tensor]:
        part = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
        if is_swin and any(key.startswith('layers.') for key in part):
            part = {key[len('backbone.') :]: value for key, value in swin_converter(part).items()}
        return part

    prefixes = {'', *('.'.join(key.split('.')[:depth]) + '.' for key in state for depth in (1, 2))}
    found = max((below(prefix) for prefix in sorted(prefixes)), key=lambda part: len(own & set(part)))
    if not own & set(found):
        raise CheckpointError(
            f'img_backbone.init_cfg: {name} has no entry of a {type(backbone).__name__}. It holds '
            f'{", ".join(list(state)[:3])}, ...; the backbone has {", ".join(sorted(own)[:3])}, .... Give weights of '
            'this backbone, or none: init_cfg=None'
        )
    return found


def _check(backbone: nn.Module, source: Mapping[str, Tensor], name: str) -> None:
    own = backbone.state_dict()
    settled = {key: value for key, value in own.items() if 'relative_position' in key and key not in source}
    settled.update({key: own[key] for key in source if key in own and source[key].shape != own[key].shape})
    reports = compare(backbone, {**source, **settled}).values()
    share = sum(report.taken_numbers for report in reports) / max(sum(report.numbers for report in reports), 1)
    problems = [f'{key} was not taken' for report in reports for key in (*report.not_taken, *report.not_finite)]
    if problems or share < MIN_SHARE:
        problems += [f'{key} is missing in the file' for report in reports for key in report.missing]
        raise _refused(name, [f'{share:.1%} of the numbers, expected {MIN_SHARE:.0%}', *problems])
    print_log(f'img_backbone: {share:.1%} of its numbers come from {name}', 'current')


def _refused(name: str, problems: List[str]) -> CheckpointError:
    more = f'\n  ... and {len(problems) - 8} more' if len(problems) > 8 else ''
    return CheckpointError(
        f'img_backbone.init_cfg: {name} does not give the image backbone its weights:\n  - '
        + '\n  - '.join(problems[:8])
        + more
        + '\nGive weights of the same architecture (embed_dims, depths), or none: init_cfg=None'
    )
