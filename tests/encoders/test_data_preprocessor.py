from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.dataset import pseudo_collate

from projects.CLAP.clap.encoders.data_preprocessor import CLAPDataPreprocessor

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def _sample(count: int, height: int = 32, width: int = 64) -> dict:
    generator = torch.Generator().manual_seed(count)
    image = torch.randint(0, 256, (2, 3, height, width), generator=generator, dtype=torch.uint8)
    sample = Det3DDataSample(metainfo=dict(lidar_path='a.bin', img_shape=(height, width)))
    return dict(
        inputs=dict(
            points=torch.rand(count, 5),
            img=image,
            keyframe_points=torch.rand(count, 3),
            keyframe_origins=torch.zeros(1, 3),
        ),
        data_samples=sample,
    )


@pytest.mark.parametrize('training', [True, False])
def test_a_batch(training):
    samples = [_sample(10), _sample(7)]
    output = CLAPDataPreprocessor()(pseudo_collate(samples), training)
    inputs = output['inputs']
    expected = (torch.stack([s['inputs']['img'] for s in samples]).double().permute(0, 1, 3, 4, 2).numpy() - MEAN) / STD
    np.testing.assert_allclose(inputs['imgs'].permute(0, 1, 3, 4, 2).numpy(), expected, atol=1e-5)
    assert inputs['imgs'].dtype == torch.float32
    assert [len(points) for points in inputs['points']] == [10, 7]
    for index, sample in enumerate(samples):
        assert torch.equal(inputs['keyframe_points'][index], sample['inputs']['keyframe_points'])
        assert torch.equal(inputs['keyframe_origins'][index], sample['inputs']['keyframe_origins'])
    assert 'voxels' not in inputs
    assert [sample.metainfo['lidar_path'] for sample in output['data_samples']] == ['a.bin', 'a.bin']


def test_denormalise_gives_the_image_back():
    sample = _sample(3)
    preprocessor = CLAPDataPreprocessor()
    imgs = preprocessor(pseudo_collate([sample]))['inputs']['imgs']
    rgb = preprocessor.denormalise(imgs)
    torch.testing.assert_close(rgb[0], sample['inputs']['img'].float() / 255, atol=1e-6, rtol=0)
    plain = CLAPDataPreprocessor(mean=None, std=None)
    torch.testing.assert_close(plain.denormalise(plain(pseudo_collate([sample]))['inputs']['imgs']), rgb)


def test_images_are_padded_at_the_right_and_the_bottom_with_the_mean_colour():
    output = CLAPDataPreprocessor(pad_size_divisor=32)(pseudo_collate([_sample(3, 30, 60)]))
    imgs = output['inputs']['imgs']
    assert imgs.shape == (1, 2, 3, 32, 64)
    assert (imgs[..., 30:, :] == 0).all() and (imgs[..., 60:] == 0).all()
    assert output['data_samples'][0].metainfo['pad_shape'] == (32, 64)
    assert output['data_samples'][0].metainfo['batch_input_shape'] == (32, 64)


def test_without_images_and_without_rays():
    sample = _sample(4)
    for key in ('img', 'keyframe_points', 'keyframe_origins'):
        del sample['inputs'][key]
    inputs = CLAPDataPreprocessor()(pseudo_collate([sample]))['inputs']
    assert set(inputs) == {'points'}


def test_is_registered_and_refuses_misspelt_arguments():
    assert isinstance(MODELS.build(dict(type='CLAPDataPreprocessor')), CLAPDataPreprocessor)
    with pytest.raises(TypeError, match='means'):
        MODELS.build(dict(type='CLAPDataPreprocessor', means=[1, 2, 3]))
