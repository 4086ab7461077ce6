from __future__ import annotations

import pytest
import torch

from projects.CLAP.clap.pretrain.masking import InputMasking

BOX = (-8.0, -4.0, -2.0, 8.0, 4.0, 2.0)


def test_masking_drops_its_share() -> None:
    masking = InputMasking(BOX, (0.25, 0.25, 0.25), point_ratio=0.75, image_ratio=0.5, block=(4, 4, 4), patch=8)
    cloud = torch.rand(5000, 4) * torch.tensor([16.0, 8.0, 4.0, 1.0]) + torch.tensor([*BOX[:3], 0.0])
    kept = masking.points(cloud, torch.Generator().manual_seed(0))

    def blocks(points: torch.Tensor) -> set:
        return {tuple(b) for b in (points[:, :3] - torch.tensor(BOX[:3])).floor().long().tolist()}

    assert len(blocks(kept)) == len(blocks(cloud)) - round(0.75 * len(blocks(cloud)))
    imgs = torch.ones(2, 3, 3, 16, 32)
    masked, dropped = masking.images(imgs, torch.Generator().manual_seed(0))
    assert dropped.flatten(2).sum(-1).eq(4).all()  # half of 2 x 4 patches
    assert masked.mean() == 0.5
    assert imgs.mean() == 1.0, 'the targets must stay whole'


def test_masking_leaves_something_to_encode() -> None:
    masking = InputMasking(BOX, (0.25, 0.25, 0.25), point_ratio=0.9)
    cloud = torch.full((10, 4), 0.1)
    assert len(masking.points(cloud)) == 10
    assert len(masking.points(cloud[:0])) == 0


@pytest.mark.parametrize(
    'name,value', [('point_ratio', 1.0), ('image_ratio', -0.1), ('patch', 0), ('block', (8, 0, 8))]
)
def test_wrong_options_are_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        InputMasking(BOX, (0.25,) * 3, **{name: value})
