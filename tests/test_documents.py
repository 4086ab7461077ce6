"""Links, commands, paths and examples of every Markdown file; licence, citation, model index."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import List, Tuple

import pytest
import yaml
from mmengine.config import Config

from projects.CLAP.clap.engine.config.check import accepted_keys, find_class

ROOT = Path(__file__).resolve().parents[1]
CLAP = ROOT / 'projects' / 'CLAP'


def tracked(pattern: str) -> List[Path]:
    """Files of the project below the root; what a reader wrote into the checkout is not among them."""
    if not (ROOT / '.git').exists():  # an unpacked archive
        ours = (path.relative_to(ROOT) for path in ROOT.glob(pattern if '/' in pattern else f'**/{pattern}'))
        return sorted(path for path in ours if not {'.venv', 'data', 'work_dirs', '.pytest_cache'} & set(path.parts))
    names = subprocess.run(
        ['git', 'ls-files', '-z', '--', pattern], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split('\0')
    return sorted(Path(name) for name in names if name and (ROOT / name).is_file())


PAGES = [ROOT / path for path in tracked('*.md')]
#: Files that a page tells the reader to write.
WRITTEN_BY_THE_READER = {
    'projects/CLAP/configs/clap_mine.py',
    'projects/CLAP/configs/finetune/bevfusion_mine.py',
    'convert_mine.py',
}
by_page = pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def code_blocks(page: Path, language: str) -> List[str]:
    return re.findall(rf'^```{language}\n(.*?)^```', page.read_text(), re.M | re.S)


def slugs(page: Path) -> set:
    """Anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r'^#+ (.*)$', re.sub(r'^```.*?^```', '', page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r'[^\w\- ]', '', h.lower()).replace(' ', '-') for h in headings}


@by_page
def test_relative_links_resolve(page: Path) -> None:
    text = re.sub(r'^```.*?^```', '', page.read_text(), flags=re.M | re.S)
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
        if re.match(r'[a-z]+:', target):
            continue
        path, _, anchor = target.partition('#')
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f'{page.name}: {target} leads nowhere'
        assert not anchor or anchor in slugs(found), f'{page.name}: {target}: no such heading'


def commands(page: Path) -> List[Tuple[str, str]]:
    """(script, arguments) of every command in code blocks and in quoted code."""
    text = page.read_text().replace('\\\n', ' ')
    blocks = re.findall(r'^```(?:bash|sh)?\n(.*?)^```', text, re.M | re.S)
    lines = [line for block in blocks for line in block.split('\n')]
    lines += re.findall(r'`([^`\n]+)`', re.sub(r'^```.*?^```', '', text, flags=re.M | re.S))
    found = []
    for line in lines:
        match = re.match(r'(?:[A-Z_]+=\S+ )*(?:(?:\S*python|bash) )?(tools/\S+\.(?:py|sh))\b([^#]*)', line.strip())
        if match:
            found.append((match.group(1), match.group(2)))
    return found


@lru_cache(maxsize=None)
def help_of(script: str, command: str = '') -> str:
    """What ``script command --help`` prints; Python commands are asked in this process, which has torch loaded."""
    if script.endswith('.sh'):
        return subprocess.run(
            ['bash', script, '--help'], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        ).stdout
    spec = importlib.util.spec_from_file_location(f'_documented_{Path(script).stem}', ROOT / script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        patch.setattr(sys, 'argv', [script, *command.split(), '--help'])
        module.parse_args()
    assert ended.value.code == 0, f'{script} {command} --help'
    return out.getvalue()


#: Shell commands that hand their arguments on.
HANDS_ON = {
    'tools/dist_train.sh': 'tools/train.py',
    'tools/dist_test.sh': 'tools/test.py',
    'tools/run_tests.sh': '',
    'tools/quickstart.sh': '',
}


@by_page
def test_commands_name_scripts_and_flags_that_exist(page: Path) -> None:
    for script, arguments in commands(page):
        assert (ROOT / script).is_file(), f'{page.name}: {script} does not exist'
        flags = re.findall(r'(?<=\s)(--?[a-zA-Z][\w-]*)', ' ' + arguments)
        described = HANDS_ON.get(script, script)
        if not flags or not described:
            continue
        words = arguments.split()
        command = words[0] if script.endswith('create_data.py') and words and not words[0].startswith('-') else ''
        options = help_of(described, command)
        for flag in flags:
            assert re.search(rf'(?<![\w-]){re.escape(flag)}(?![\w-])', options), f'{page.name}: {script} has no {flag}'


@by_page
def test_overrides_name_keys_of_the_configuration(page: Path) -> None:
    for _, arguments in commands(page):
        named = re.search(r'projects/CLAP/configs/\S+\.py', arguments)
        config = named.group(0) if named else 'projects/CLAP/configs/clap_nus.py'
        _, _, overrides = arguments.partition('--cfg-options')
        for key in re.findall(r'([\w.]+)=', overrides):
            node = Config.fromfile(str(ROOT / config))
            *parents, last = key.split('.')
            for part in parents:
                place = int(part) if isinstance(node, list) else part  # pipelines and hooks are lists
                assert place in (range(len(node)) if isinstance(node, list) else node), (page.name, config, key)
                node = node[place]
            cls = find_class(node['type']) if node.get('type') else None
            accepted = accepted_keys(cls) or () if cls else ()
            assert last in node or last in accepted, f'{page.name}: {config} has no {key}; its class does not take it'


@by_page
def test_named_files_exist(page: Path) -> None:
    folders = 'projects|configs|tools|tests|docs|requirements'
    for path in re.findall(rf'(?<![\w/.])((?:{folders})/[\w./-]+\.\w+)', page.read_text()):
        if path not in WRITTEN_BY_THE_READER:
            assert (ROOT / path).exists() or (page.parent / path).exists(), f'{page.name}: {path} does not exist'


@by_page
def test_python_blocks_compile(page: Path) -> None:
    for block in code_blocks(page, 'python'):
        compile(block, str(page), 'exec')


def block_named(name: str) -> str:
    text = (ROOT / 'docs' / 'pretrain_your_own.md').read_text()
    return re.search(rf'<!-- tested: {name} -->\n```python\n(.*?)^```', text, re.M | re.S).group(1)


def record(folder: Path, frames: int = 3) -> None:
    """A recording as the page expects it: a street seen by a LiDAR and two cameras of 1920 x 1080."""
    import json

    import numpy as np
    from PIL import Image

    from tests.fixtures.driving_frames import look_along
    from tests.fixtures.tiny import street

    cam2img = [[1000.0, 0, 960], [0, 1000.0, 540], [0, 0, 1]]
    calibration = {
        name: dict(cam2img=cam2img, lidar2cam=look_along(forward, (0.5, 0, -0.3)).tolist())
        for name, forward in (('front', (1, 0, 0)), ('rear', (-1, 0, 0)))
    }
    for part in ('lidar', *calibration):
        (folder / part).mkdir(parents=True)
    (folder / 'calibration.json').write_text(json.dumps(calibration))
    rng = np.random.default_rng(0)
    for index in range(frames):
        points = street(4000, seed=index)[:, :4] * np.float32([1, 1, 1, 255])
        points[0] = np.nan  # what some drivers write for a missing return
        np.save(folder / 'lidar' / f'{index:06d}.npy', points)
        for name in calibration:
            pixels = rng.integers(0, 256, (27, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((1920, 1080)).save(folder / name / f'{index:06d}.jpg')


def test_the_way_to_own_data_can_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's converter, its configuration and the doctor, on a recording laid out as the page says."""
    from projects.CLAP.clap.engine.config.load import load_config
    from projects.CLAP.doctor import GOOD, data, one_step

    record(tmp_path / 'mine')
    (tmp_path / 'convert_mine.py').write_text(block_named('converter'))
    done = subprocess.run(
        [sys.executable, 'convert_mine.py', 'mine'], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == '3 frames', done.stderr
    base = ROOT / 'projects' / 'CLAP' / 'configs' / 'clap_pandaset_recommended.py'
    (tmp_path / 'clap_mine.py').write_text(block_named('config').replace('./clap_pandaset_recommended.py', str(base)))
    monkeypatch.setenv('CLAP_DATA_ROOT', str(tmp_path))
    cfg = load_config(
        str(tmp_path / 'clap_mine.py'), ['model.ray_sampler.num_lidar_rays=64', 'model.ray_sampler.num_camera_rays=8']
    )
    findings = data.check_config_data(cfg) + one_step.check_step(cfg)
    # The images are noise: whether edges of the points lie on theirs cannot be said.
    assert all(finding.level == GOOD for finding in findings if finding.title != 'calibration'), findings
    assert {'info file', 'range', 'projection', 'step'} <= {finding.title for finding in findings}
    (projection,) = [f for f in findings if f.title == 'projection' and 'train' in f.verdict]
    assert all(float(share) > 0.05 for share in re.findall(r'(?:front|rear) (0\.\d+)', projection.verdict))
    assert cfg.train_cfg.max_epochs == 40 and cfg.default_hooks.warmup.warmup_epochs == 13
    assert cfg.model.masking.point_ratio == 0.5 and len(block_named('config').split('\n')) <= 16, 'fifteen lines'
    _the_detector(tmp_path, cfg.model)


def _the_detector(folder: Path, pretrained: dict) -> None:
    """The page's detector reads the recording once it has labels, and its encoders are those that were pre-trained."""
    import pickle

    from projects.CLAP.clap.engine.config.load import load_config
    from projects.CLAP.doctor import GOOD, data, one_step

    for name in ('train', 'val'):
        path = folder / 'mine' / f'mine_infos_{name}.pkl'
        info = pickle.loads(path.read_bytes())
        for frame in info['data_list']:
            box = [8.0, 2.0, -1.0, 4.0, 2.0, 1.6, 0.3]
            frame['instances'] = [
                dict(bbox_3d=box, bbox_label_3d=0, bbox_label=0, num_lidar_pts=9, velocity=[0.0, 0.0])
            ]
        info['metainfo']['categories'] = dict(car=0)
        path.write_bytes(pickle.dumps(info))
    base = ROOT / 'projects' / 'CLAP' / 'configs' / 'finetune' / 'bevfusion_pandaset_100pct.py'
    text = block_named('detector').replace('./bevfusion_pandaset_100pct.py', str(base))
    (folder / 'bevfusion_mine.py').write_text(text)
    cfg = load_config(str(folder / 'bevfusion_mine.py'), ['load_from=None'])
    findings = data.check_config_data(cfg) + one_step.check_step(cfg)
    assert {'info file', 'step'} <= {f.title for f in findings if f.level == GOOD}, findings
    for name in ('voxelize_cfg', 'pts_middle_encoder', 'img_backbone', 'img_neck', 'view_transform', 'pts_backbone'):
        assert cfg.model[name] == pretrained[name], name


@pytest.mark.parametrize('width, height', [(1920, 1080), (1242, 375), (1920, 1200), (400, 225), (534, 300)])
def test_the_pages_configuration_fills_its_window(width: int, height: int, tmp_path: Path) -> None:
    """No black band at the side or on top, whatever the size of the images."""
    from projects.CLAP.clap.datasets.transforms.image_aug import draw_augmentation

    base = ROOT / 'projects' / 'CLAP' / 'configs' / 'clap_pandaset_recommended.py'
    text = block_named('config').replace('./clap_pandaset_recommended.py', str(base))
    assert text.count('width, height = 1920, 1080') == 1
    (tmp_path / 'clap_mine.py').write_text(text.replace('1920, 1080', f'{width}, {height}'))
    cfg = Config.fromfile(str(tmp_path / 'clap_mine.py'), import_custom_modules=False)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        step = loader.dataset.pipeline.image_aug
        assert list(step.final_dim) == list(cfg.model.view_transform.image_size)
        assert all(n % 32 == 0 for n in step.final_dim)
        for limit in step.resize_lim:
            drawn = draw_augmentation((height, width), step.final_dim, [limit, limit], (0, 0), (0, 0), False, False)
            (left, top), (columns, rows) = drawn.corner, drawn.final
            assert left >= 0 <= top and left + columns <= drawn.size[0] and top + rows <= drawn.size[1]


#: Lines and words at most.
LIMITS = {'README.md': (110, 800), 'projects/CLAP/README.md': (150, 1500)}
ALL_WORDS = 18_000  # of all pages without those that a method, a data set or a comparison brings along
DATASET_PAGES = {'nuscenes.md', 'pandaset.md', 'your_own.md'}
COMPARISONS = {'sim', 'pandaset', 'samplers_sim', 'prototypes_sim'}  # whose pages count


def test_pages_stay_short() -> None:
    for name, (lines, words) in LIMITS.items():
        text = (ROOT / name).read_text()
        assert len(text.splitlines()) <= lines and len(text.split()) <= words, f'{name} is longer than {lines}, {words}'
    brought = [p for p in PAGES if p.parent.name in ('methods', 'datasets') and p.name not in DATASET_PAGES]
    brought += [p for p in PAGES if p.parent.parent.name == 'results' and p.parent.name not in COMPARISONS]
    assert sum(len(page.read_text().split()) for page in set(PAGES) - set(brought)) <= ALL_WORDS


def test_the_tests_mirror_the_rooms() -> None:
    """What CONTRIBUTING.md says: every folder of tests is a room, or holds what crosses them."""
    rooms = {path.relative_to(base) for base in (CLAP, CLAP / 'clap') for path in base.rglob('*') if path.is_dir()}
    folders = {path.parent.relative_to('tests') for path in tracked('tests/*.py')}
    assert folders - rooms == {Path('.'), Path('fixtures'), Path('reliability')}


def test_the_model_index_leads_to_configurations() -> None:
    for name in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']:
        meta = yaml.safe_load((ROOT / name).read_text())
        collections = {collection['Name'] for collection in meta['Collections']}
        for collection in meta['Collections']:
            assert (ROOT / collection['README']).is_file() and (ROOT / collection['Code']['URL']).is_file()
        listed = {model['Config'] for model in meta['Models']}
        for model in meta['Models']:
            assert model['In Collection'] in collections
            cfg = Config.fromfile(str(ROOT / model['Config']))
            assert model['Name'] == Path(model['Config']).stem
            assert cfg.train_cfg.max_epochs == model['Metadata']['Epochs']
        configs = Path('projects/CLAP/configs')
        assert listed >= {
            str(path)
            for path in tracked('projects/CLAP/configs/*.py')
            if path.parent in (configs, configs / 'finetune')
        }


def test_one_version_everywhere() -> None:
    from projects.CLAP.clap import __version__

    meta = yaml.safe_load((ROOT / 'projects/CLAP/metafile.yml').read_text())
    assert {collection['Code']['Version'] for collection in meta['Collections']} == {__version__}
    newest = re.search(r'^## (.*)$', (ROOT / 'CHANGELOG.md').read_text(), re.M).group(1)
    assert re.findall(r'\d+\.\d+\.\d+', newest) == [__version__]


def test_quickstart_ends_with_commands_that_exist(tmp_path: Path) -> None:
    """The script with stand-ins for what takes minutes: what it prints at its end can be pasted."""
    script = (ROOT / 'tools' / 'quickstart.sh').read_text()
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'quickstart.sh').write_text(script)
    (tmp_path / 'tools' / 'setup_env.sh').write_text('')
    work = tmp_path / 'work_dirs' / 'quickstart_2x3_seed0'
    (work / 'time').mkdir(parents=True)
    (work / 'time' / 'time.log').write_text('')
    (work / 'last_checkpoint').write_text('/elsewhere/epoch_8.pth')
    python = tmp_path / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "called $CLAP_DATA_ROOT $*" >> calls\n')
    python.chmod(0o755)
    env = dict(os.environ, SCENES='2', FRAMES='3', CLAP_DATA_ROOT='data/quickstart_4x12_seed0')
    done = subprocess.run(
        ['bash', 'tools/quickstart.sh'], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / 'calls').read_text()
    assert set(re.findall(r'called (\S+)', calls)) == {'data/quickstart_2x3_seed0'}, 'beside the last one, not in it'
    assert calls.index('sampler_enrichment.py') < calls.index('report.py')
    last = done.stdout.split('\nNext, ')[1]
    assert '  export CLAP_DATA_ROOT=data/quickstart_2x3_seed0\n' in last
    scripts = re.findall(r'python (tools/\S+\.py) ([^\n]*)', last)
    assert [script for script, _ in scripts] == [
        f'tools/{name}.py' for name in ('test', 'visualize', 'view3d', 'export_weights', 'train')
    ]
    for script, arguments in scripts:
        for config in re.findall(r'projects/\S+', arguments):
            assert (ROOT / config).is_file()
        for flag in re.findall(r' (--[\w-]+)', ' ' + arguments):
            assert flag in help_of(script)
        for named in re.findall(r'work_dirs/\S+', arguments):
            assert named.startswith('work_dirs/quickstart_2x3_seed0/')
    assert '/quickstart_2x3_seed0/epoch_8.pth' in last
    assert 'load_from=work_dirs/quickstart_2x3_seed0/encoders.pth' in last


def test_licence_and_citation() -> None:
    licence = (ROOT / 'LICENSE').read_text()
    assert 'Apache License' in licence and 'Version 2.0, January 2004' in licence
    assert all(f'   {n}. ' in licence for n in range(1, 10)) and 'END OF TERMS AND CONDITIONS' in licence
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    paper = citation['preferred-citation']
    assert {'cff-version', 'message', 'title', 'authors'} <= set(citation) and citation['license'] == 'Apache-2.0'
    assert paper['year'] == 2026 and paper['identifiers'][0]['value'] == 'arXiv:2412.03059'
    readme = (ROOT / 'projects/CLAP/README.md').read_text()
    assert f'title     = {{{paper["title"]}}}' in readme
    names = ' and '.join(f'{a["family-names"]}, {a["given-names"]}' for a in paper['authors'])
    assert f'author    = {{{names}}}' in readme
