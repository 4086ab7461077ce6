from __future__ import annotations

import pickle

import numpy as np
import pytest

from projects.CLAP.clap.datasets import CLAPDataset, DatasetError
from tests.fixtures.driving_frames import CAMERAS, read_infos, write_dataset, write_infos

PIPELINE = [
    dict(type='CLAPLoadKeyframe'),
    dict(type='CLAPLoadMultiViewImages'),
    dict(type='CLAPImageAug3D', final_dim=(64, 128), resize_lim=(0.8, 0.8), is_train=False),
    dict(type='CLAPPackInputs'),
]
WITH_SWEEPS = [PIPELINE[0], dict(type='LoadPointsFromMultiSweeps', load_dim=5), *PIPELINE[1:]]


@pytest.fixture
def folder(tmp_path):
    write_dataset(tmp_path)
    return tmp_path


def _dataset(folder, **arguments) -> CLAPDataset:
    return CLAPDataset(**{**dict(data_root=str(folder), ann_file='infos.pkl', pipeline=PIPELINE), **arguments})


def _change(folder, change) -> None:
    infos = read_infos(folder / 'infos.pkl')
    change(infos)
    write_infos(folder / 'infos.pkl', infos)


def test_a_sample_fulfils_the_data_contract(folder):
    sample = _dataset(folder)[1]
    inputs, meta = sample['inputs'], sample['data_samples'].metainfo
    assert inputs['points'].shape == (400, 5)
    assert inputs['img'].shape == (2, 3, 64, 128)
    assert inputs['keyframe_points'].shape == (400, 3)
    assert inputs['keyframe_origins'].shape == (1, 3)
    assert (meta['token'], meta['sample_idx'], meta['cam_names']) == ('token1', 1, list(CAMERAS))
    assert (meta['ori_shape'], meta['img_shape'], meta['pad_shape']) == ((90, 160), (64, 128), (64, 128))
    for key in ('cam2img', 'lidar2cam', 'cam2lidar', 'lidar2img'):
        assert meta[key].shape == (2, 4, 4)


def test_labels_are_left_out_unless_asked_for(folder):
    info = _dataset(folder).get_data_info(0)
    assert info['instances'] == [] and not info['ann_info']
    info = _dataset(folder, with_annotations=True).get_data_info(0)
    boxes = info['ann_info']['gt_bboxes_3d']
    np.testing.assert_allclose(boxes.gravity_center.numpy(), [[2.0, 10.0, -1.0]], atol=1e-6)
    np.testing.assert_allclose(boxes.tensor[0, 7:].numpy(), [1.0, 0.5])
    _change(folder, lambda infos: [info.pop('instances') for info in infos])
    assert len(_dataset(folder)) == 3


def test_loading_labels_without_labels_is_refused(folder):
    steps = [*PIPELINE[:2], dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True), PIPELINE[3]]
    with pytest.raises(ValueError, match='with_annotations=True'):
        _dataset(folder, pipeline=steps)
    with pytest.raises(ValueError, match='filter_empty_gt'):
        _dataset(folder, filter_empty_gt=True)
    assert len(_dataset(folder, pipeline=steps, with_annotations=True, filter_empty_gt=True)) == 3


def test_subsets(folder):
    assert [_dataset(folder, indices=[2, 0]).get_data_info(i)['token'] for i in range(2)] == ['token2', 'token0']
    assert len(_dataset(folder, indices=1)) == 1
    sample = _dataset(folder, cameras=['CAM_LEFT', 'CAM_FRONT'])[0]
    assert sample['data_samples'].cam_names == ['CAM_LEFT', 'CAM_FRONT']
    assert sample['data_samples'].img_path[0].endswith('CAM_LEFT_0.png')
    with pytest.raises(DatasetError, match='no camera named CAM_BACK; the file has CAM_FRONT, CAM_LEFT'):
        _dataset(folder, cameras=['CAM_BACK'])


def test_files_of_frames_that_are_not_used_may_be_missing(folder):
    (folder / '0.bin').unlink()
    assert len(_dataset(folder, indices=[1, 2])) == 2


def test_lidar_only(folder):
    for path in folder.glob('*.png'):
        path.unlink()
    dataset = _dataset(folder, modality=dict(use_lidar=True, use_camera=False), pipeline=[PIPELINE[0], PIPELINE[3]])
    assert set(dataset[0]['inputs']) == {'points', 'keyframe_points', 'keyframe_origins'}


def test_every_missing_and_damaged_file_is_listed_at_once(folder):
    (folder / '0.bin').unlink()
    (folder / '1.bin').write_bytes(b'\0' * 33)
    (folder / 'CAM_LEFT_1.png').unlink()
    (folder / 'CAM_LEFT_2.png').write_bytes(b'')
    with pytest.raises(DatasetError) as caught:
        _dataset(folder)
    message = str(caught.value)
    assert '4 problems' in message
    for expected in (
        '0.bin (lidar_points.lidar_path) does not exist',
        '1.bin (lidar_points.lidar_path) has 33 bytes',
        'CAM_LEFT_1.png (images.CAM_LEFT) does not exist',
        'CAM_LEFT_2.png (images.CAM_LEFT) is empty',
        'tools/create_data.py',
    ):
        assert expected in message
    assert len(_dataset(folder, verify='off')) == 3


def test_only_ten_of_many_problems_are_printed(tmp_path):
    write_dataset(tmp_path, num_frames=20)
    for path in tmp_path.glob('*.bin'):
        path.unlink()
    with pytest.raises(DatasetError, match=r'20 problems found(\n  - .*){10}\n  \.\.\. and 10 more'):
        _dataset(tmp_path)


def test_full_verification_opens_the_files(folder):
    content = np.fromfile(folder / '2.bin', dtype=np.float32)
    content[7] = np.nan
    content.tofile(folder / '2.bin')
    (folder / 'CAM_FRONT_0.png').write_bytes((folder / 'CAM_FRONT_0.png').read_bytes()[:2000])
    assert len(_dataset(folder, verify='stat')) == 3
    expected = r'2 problems found[\s\S]*CAM_FRONT_0\.png.*cannot be decoded[\s\S]*NaN or Inf'
    with pytest.raises(DatasetError, match=expected):
        _dataset(folder, verify='full')


def test_sweeps_and_per_point_origins_are_checked(folder):
    def add_files(infos):
        sweep = dict(
            timestamp=99.0,
            lidar_points=dict(lidar_path='sweeps/x.bin', num_pts_feats=None, lidar2sensor=np.eye(4).tolist()),
        )
        infos[0]['lidar_sweeps'] = [sweep]
        infos[1]['lidar_points']['origins_path'] = 'o.bin'

    _change(folder, add_files)
    (folder / 'o.bin').write_bytes(b'\0' * 20)
    with pytest.raises(DatasetError, match=r'x\.bin \(lidar_sweeps\[0\]\) does not exist[\s\S]*o\.bin.*multiple of 12'):
        _dataset(folder, pipeline=WITH_SWEEPS)


@pytest.mark.parametrize(
    'sweeps,needs',
    [
        (None, False),
        (dict(sweeps_num=0), False),
        (dict(sweeps_num=1, test_mode=True), False),
        (dict(sweeps_num=2, test_mode=True), True),
        (dict(sweeps_num=1), True),  # drawn among those that are there
    ],
)
def test_sweeps_that_are_not_read_need_not_be_there(folder, sweeps, needs):
    lidar = dict(lidar_path='0.bin', lidar2sensor=np.eye(4).tolist())
    missing = dict(lidar_path='nowhere.bin', lidar2sensor=None)
    _change(
        folder,
        lambda infos: infos[1].update(
            lidar_sweeps=[dict(timestamp=100.0, lidar_points=points) for points in (lidar, missing)]
        ),
    )
    steps = PIPELINE if sweeps is None else [PIPELINE[0], {**WITH_SWEEPS[1], **sweeps}, *PIPELINE[1:]]
    if needs:
        with pytest.raises(DatasetError, match=r'lidar_sweeps\[1\].lidar_points.lidar2sensor is missing'):
            _dataset(folder, pipeline=steps)
    else:
        assert len(_dataset(folder, pipeline=steps)[1]['inputs']['points']) == (
            800 if sweeps and sweeps['sweeps_num'] else 400
        )


@pytest.mark.parametrize(
    'prefix, place, stored',
    [
        ('', 'drive_a/0.bin', 'drive_a/0.bin'),
        ('lidar', 'lidar/day/drive_a/0.bin', 'day/drive_a/0.bin'),
        ('lidar', 'lidar/0.bin', '0.bin'),
        ('sweeps/TOP', 'sweeps/TOP/0.bin', 'sweeps/TOP/0.bin'),
        ('sweeps/TOP', 'sweeps/TOP/0.bin', '/another/machine/nuscenes/sweeps/TOP/0.bin'),
        ('sweeps/TOP', 'samples/TOP/0.bin', './data/nuscenes/samples/TOP/0.bin'),
        ('nowhere', 'elsewhere/0.bin', '{folder}/elsewhere/0.bin'),
    ],
)
def test_sweeps_lie_in_folders_of_their_own_or_where_mmdet3d_has_them(folder, prefix, place, stored):
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_bytes((folder / '0.bin').read_bytes())
    lidar = dict(lidar_path=stored.format(folder=folder), lidar2sensor=np.eye(4).tolist())
    _change(folder, lambda infos: infos[1].update(lidar_sweeps=[dict(timestamp=100.4, lidar_points=lidar)]))
    _change(folder, lambda infos: [i['lidar_points'].update(lidar_path=str(folder / '1.bin')) for i in infos])
    keyframes = 'samples/TOP' if './' in stored else ''
    dataset = _dataset(
        folder,
        pipeline=[PIPELINE[0], dict(type='CLAPLoadSweeps'), *PIPELINE[1:]],
        data_prefix=dict(pts=keyframes, sweeps=prefix, img=''),
    )
    assert len(dataset[1]['inputs']['points']) == 800


@pytest.mark.parametrize('key, row_bytes', [('origins_path', 12), ('semantic_path', 1)])
def test_files_beside_the_points_have_as_many_rows(folder, key, row_bytes):
    points = (folder / '1.bin').stat().st_size // 20
    _change(folder, lambda infos: infos[1]['lidar_points'].update({key: 'beside.bin'}))
    # 255 is 'ignore' and, four times, NaN as a float32: classes are not read as numbers.
    (folder / 'beside.bin').write_bytes((b'\0' if key == 'origins_path' else b'\xff') * row_bytes * points)
    _dataset(folder, with_annotations=True, verify='full')
    (folder / 'beside.bin').write_bytes(b'\0' * row_bytes * (points - 1))
    message = rf'beside\.bin \(lidar_points\.{key}\) has {points - 1} rows for the {points} points of .*1\.bin'
    with pytest.raises(DatasetError, match=message):
        _dataset(folder, with_annotations=True)
    if key == 'semantic_path':
        _dataset(folder)  # without labels it is not looked at


def _set_camera(key, value):
    return lambda infos: infos[1]['images']['CAM_LEFT'].__setitem__(key, value)


@pytest.mark.parametrize(
    'change, message',
    [
        (
            _set_camera('cam2img', np.zeros((3, 3)).tolist()),
            r'frame 1 \(token1\): images\.CAM_LEFT\.cam2img is singular',
        ),
        (_set_camera('cam2img', np.full((3, 3), np.nan).tolist()), 'cam2img holds NaN or Inf'),
        (_set_camera('cam2img', np.eye(2).tolist()), r'cam2img has shape \(2, 2\), expected \(3, 3\) or'),
        (_set_camera('lidar2cam', np.zeros((4, 4)).tolist()), 'lidar2cam is singular'),
        (_set_camera('lidar2cam', [[1], [1, 2]]), 'lidar2cam is not a matrix'),
        (lambda infos: infos[2]['images']['CAM_LEFT'].pop('lidar2cam'), 'CAM_LEFT.lidar2cam is missing'),
        (lambda infos: infos[2].pop('lidar_points'), 'key lidar_points.lidar_path is missing'),
        (
            lambda infos: infos[2].update(lidar_sweeps=[dict(lidar_points=dict(lidar2sensor=np.eye(4).tolist()))]),
            r'lidar_sweeps\[0\]\.lidar_points\.lidar_path is missing',
        ),
        (lambda infos: infos[2].pop('images'), 'key images is missing'),
        (
            lambda infos: infos[2].update(
                lidar_sweeps=[dict(lidar_points=dict(lidar_path='', lidar2sensor=np.eye(3).tolist()))]
            ),
            r'lidar_sweeps\[0\]\.lidar_points\.lidar2sensor has shape \(3, 3\)',
        ),
    ],
)
def test_wrong_matrices_and_missing_keys_are_named(folder, change, message):
    _change(folder, change)
    with pytest.raises(DatasetError, match=message):
        _dataset(folder, pipeline=WITH_SWEEPS)


def test_wrong_places_and_formats_are_named(folder):
    with pytest.raises(DatasetError, match='data_root .*nowhere is not a folder.*CLAP_DATA_ROOT'):
        _dataset(folder / 'nowhere')
    with pytest.raises(DatasetError, match=r'other\.pkl does not exist \(.* holds infos\.pkl\)'):
        _dataset(folder, ann_file='other.pkl')
    for content, message in (
        (dict(infos=[], metadata={}), 'old format.*create_data'),
        ([1], 'old format'),
        (dict(a=1), 'expected an mmdet3d info file.*keys a'),
        (dict(metainfo=dict(info_version='2.0'), data_list=[1]), 'info_version 2.0'),
        (dict(metainfo={}, data_list=[]), 'holds no frame'),
    ):
        (folder / 'infos.pkl').write_bytes(pickle.dumps(content))
        with pytest.raises(DatasetError, match=message):
            _dataset(folder)
    (folder / 'infos.pkl').write_bytes(b'\x80\x04')
    with pytest.raises(DatasetError, match='cannot be read'):
        _dataset(folder)


def test_misspelt_arguments_fail(folder):
    with pytest.raises(TypeError, match='data_prefixes'):
        _dataset(folder, data_prefixes={})
    with pytest.raises(ValueError, match="'stat', 'full' or 'off'"):
        _dataset(folder, verify='yes')


def test_transforms_have_names_and_none_leaves_one_out(folder):
    named = dict(zip(('points', 'images', 'image_aug', 'pack'), PIPELINE))
    listed, by_name = _dataset(folder), _dataset(folder, pipeline=dict(named, shuffle=None))
    kinds = [type(step) for step in listed.pipeline.transforms]
    assert [type(step) for step in by_name.pipeline.transforms] == kinds
    assert (listed[1]['inputs']['img'] == by_name[1]['inputs']['img']).all()


def test_target_sweeps_of_data_without_sweeps_are_refused(folder):
    steps = [PIPELINE[0], dict(type='CLAPLoadSweeps', target_sweeps=2), *PIPELINE[1:]]
    with pytest.raises(DatasetError, match=r'target_sweeps=2, but no frame of .*infos.pkl has an earlier sweep'):
        _dataset(folder, pipeline=steps)

    def add(infos):  # to the last frame alone: the first of a scene has none
        path = infos[0]['lidar_points']['lidar_path']
        points = dict(lidar_path=path, num_pts_feats=5, lidar2sensor=np.eye(4).tolist())
        infos[2]['lidar_sweeps'] = [dict(timestamp=infos[2]['timestamp'] - 0.05, lidar_points=points)]

    _change(folder, add)
    dataset = _dataset(folder, pipeline=steps)
    assert [len(dataset[index]['inputs']['sweep_points']) for index in range(3)] == [0, 0, 400]
    assert dataset[2]['inputs']['sweep_lengths'].tolist() == [400]
    assert 'sweep_points' not in _dataset(folder)[2]['inputs']
