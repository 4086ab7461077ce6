"""Features of pixels from the maps of cameras."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import sample_images


def _pixels(num, seed=0, cameras=3, height=4, width=6, stride=8):
    draws = torch.Generator().manual_seed(seed)
    maps = torch.randn(cameras, 5, height, width, dtype=torch.float64, generator=draws, requires_grad=True)
    uv = torch.rand(num, 2, dtype=torch.float64, generator=draws) * torch.tensor([width, height]) * stride
    return maps, torch.randint(cameras, (num,), generator=draws), uv


def test_a_linear_picture_is_read_exactly():
    """The map holds the position of its cells' centres, of each camera plus 100; the border keeps the last value."""
    row, column = torch.meshgrid(torch.arange(4) * 8 + 4.0, torch.arange(6) * 8 + 4.0, indexing='ij')
    maps = torch.stack([torch.stack([column, row]) + 100 * camera for camera in range(3)])
    uv = torch.tensor([[13.0, 21.5], [40.0, 7.0], [1.0, 31.0]])
    found = sample_images(maps, torch.tensor([0, 2, 1]), uv, 8)
    torch.testing.assert_close(found, torch.tensor([[13.0, 21.5], [240.0, 207.0], [104.0, 128.0]]))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 1000))
def test_equals_grid_sample_of_each_camera(num, seed):
    maps, camera, uv = _pixels(num, seed)
    found = sample_images(maps, camera, uv, 8)
    for index in range(3):
        place = 2 * uv[camera == index] / torch.tensor([48.0, 32.0]) - 1
        own = F.grid_sample(maps[index : index + 1], place[None, None], align_corners=False, padding_mode='border')
        torch.testing.assert_close(found[camera == index], own[0, :, 0].t())


def test_gradients():
    maps, camera, uv = _pixels(4)
    assert torch.autograd.gradcheck(lambda m: sample_images(m, camera, uv, 8), maps)


def test_no_pixel_is_still_connected():
    maps, camera, uv = _pixels(0)
    found = sample_images(maps, camera, uv, 8)
    found.sum().backward()
    assert found.shape == (0, 5) and maps.grad is not None
