"""The report of a real (tiny) run, read as a file and in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from projects.CLAP.clap.report import findings, gather, write_report
from projects.CLAP.clap.report.gather import RunData, marks_of
from projects.CLAP.clap.report.page import _run_table, render_page
from tests.fixtures.browser import chromium, visit  # noqa: F401  a fixture
from tests.fixtures.tiny_run import tiny_runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of the tiny model with everything that a report reads, the second after a resume."""
    work = tmp_path_factory.mktemp('runs') / 'tiny & small'
    infos = work.parent / 'infos.pkl'
    infos.write_bytes(b'frames')
    hooks = [
        dict(type='StepSeedHook'),
        dict(type='SamplingWarmupHook', warmup_epochs=1),
        dict(type='RunRecordHook'),
        dict(type='GradientShareHook', interval=2),
        dict(type='PretrainVisualizationHook', interval=2, stride=16, max_points=200),
    ]
    tiny_runner(work, hooks, epochs=1, ann_file=str(infos)).train()
    tiny_runner(work, hooks, epochs=2, ann_file=str(infos), resume=True).train()
    return work


def test_the_sessions_of_a_run_are_one(work_dir: Path) -> None:
    run = gather(work_dir)
    assert [step for step, _ in run.train['loss']] == [1, 2, 3, 4]
    assert [step for step, _ in run.evaluation['render/range_median_m']] == [2, 4], 'epochs become iterations'
    assert [at for at, _ in marks_of(run)] == [3]
    assert sorted(run.images) == [
        f'frame0_{n}' for n in ('cameras', 'curvature', 'lidar_on_images', 'lidar_range', 'prototypes', 'rays')
    ]
    assert sorted(run.images['frame0_rays']) == [0, 2, 4]
    assert sorted(run.images['frame0_lidar_on_images']) == [0, 4], 'the first pictures of each session'
    assert run.sessions[0]['facts']['num_prototypes'] == 8 and len(run.sessions) == 2
    assert run.checkpoints == ['epoch_1.pth', 'epoch_2.pth'] and 'NeuSRenderHead' in run.config_text


def test_shares_of_the_gradient_have_a_chart_for_every_map(work_dir: Path, tmp_path: Path) -> None:
    write_report(work_dir, tmp_path / 'r.html')
    charts = re.findall(
        r'data-chart="([^"]*)"><figcaption>share of each loss in the gradient at the (\w+) map',
        (tmp_path / 'r.html').read_text(),
    )
    names = {place: json.loads(unescape(data))['names'] for data, place in charts}
    terms = ['range', 'surface', 'rgb', 'swav', 'em']
    assert names == dict(lidar=terms, camera=terms, fused=terms[:3])
    share = next(row for row in findings(gather(work_dir)) if 'grad_share_swav_lidar' in row.scalars)
    assert 'watch below 0.01, watch above 0.3' in share.verdict


def test_a_repeated_stretch_replaces_the_earlier_one(tmp_path: Path) -> None:
    for time, lines in (('20260101_000000', [(1, 5.0), (2, 4.0), (3, 9.0)]), ('20260102_000000', [(3, 3.0), (4, 2.0)])):
        folder = tmp_path / time / 'vis_data'
        folder.mkdir(parents=True)
        text = [json.dumps(dict(loss=v, iter=i, epoch=1, step=i)) for i, v in lines]
        (folder / 'scalars.json').write_text(
            '\n'.join([*text, '{"loss": NaN, "iter": 5, "step": 5, "epoch": 1}', '{"loss": 1.0, "it'])
        )
    run = gather(tmp_path)
    assert [(s, v) for s, v in run.train['loss'] if v == v] == [(1, 5.0), (2, 4.0), (3, 3.0), (4, 2.0)]
    page = tmp_path / 'r.html'
    write_report(tmp_path, page)
    assert 'No run_card.json' in page.read_text() and '<h2>Figures over time</h2><p>None' in page.read_text()


def test_a_mark_stands_where_something_changed() -> None:
    logged = dict(loss=[(s, 1.0) for s in (3, 6, 9, 12)])
    run = RunData('r', [dict(marks=[[7, 'rays']])], logged)
    assert marks_of(run) == [(7, 'rays')]
    assert [at for at, _ in marks_of(RunData('r', [dict(facts=dict(curvature_from_iter=7))], logged))] == [7]
    assert marks_of(RunData('r', run.sessions, dict(loss=[(3, 1.0)]))) == [], 'it did not get there'
    assert marks_of(RunData('r', [dict(marks=[[1, 'rays']])], logged)) == [], 'nothing changed'


def test_the_run_can_be_repeated_from_its_record() -> None:
    session = dict(
        command=['tools/train.py', 'c.py', '--work-dir', 'a b'],
        environment=dict(CLAP_DATA_ROOT='data/q'),
        data=dict(train=dict(file='i.pkl', root='data/q/sim', frames=3, sha256='0' * 64, bytes=1)),
    )
    table = unescape(_run_table(RunData('r', [session])))
    assert (
        "<code>CLAP_DATA_ROOT=data/q python tools/train.py c.py --work-dir 'a b'</code> in the project's folder"
        in table
    )
    assert 'i.pkl in <code>data/q/sim</code>, 3 frames' in table
    session.update(processes=2, command=['tools/train.py', '--launcher', 'pytorch'], folder='/x')
    table = unescape(_run_table(RunData('r', [session])))
    assert 'torchrun --nproc_per_node=2 tools/train.py --launcher pytorch</code> in <code>/x</code>' in table


def test_a_probe_is_shown(work_dir: Path) -> None:
    assert 'mIoU of points' not in render_page(gather(work_dir))
    figures = dict(
        miou=dict(point=[20.0], random=[30.0, 32.0], checkpoint=[50.0, 52.0]),
        layers=1,
        features='lidar',
        frames=dict(labelled=1, measured=5),
    )
    (work_dir / 'probe.json').write_text(json.dumps(figures))
    page = render_page(gather(work_dir))
    assert '51.0 mIoU of points by a linear layer on frozen lidar features, 31.0 with random' in page
    (work_dir / 'probe.json').write_text('[]')
    assert 'mIoU of points' not in render_page(gather(work_dir))
    (work_dir / 'probe.json').unlink()


def test_a_measured_enrichment_is_judged(work_dir: Path) -> None:
    path = work_dir / 'enrichment.json'
    assert any('sampler_enrichment.py' in row.verdict for row in findings(gather(work_dir)))
    path.write_text(json.dumps(dict(mean=dict(curvature=dict(lidar=dict(object_ratio=1.5))))))
    (row,) = [row for row in findings(gather(work_dir)) if 'enrichment' in row.scalars]
    path.unlink()
    assert (row.level, row.value) == ('good', '1.5')


class References(HTMLParser):
    """Every address in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found, self.tags = [], []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.found += [value for name, value in attrs if name in ('src', 'href', 'srcset', 'data', 'action', 'poster')]


def test_one_self_contained_file_says_what_was_run(work_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / 'sub' / 'r.html'
    done = subprocess.run(
        [sys.executable, 'tools/report.py', str(work_dir), '--out', str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    assert figures['bytes'] == out.stat().st_size < 3 << 20
    text = out.read_text()
    parser = References()
    parser.feed(text)
    assert parser.found and all(address.startswith('data:') for address in parser.found)
    assert 'iframe' not in parser.tags and not re.search(r'url\(|@import|https?://(?!www\.w3\.org)', text)
    assert text.count('<img ') == 17 and text.count('class="chart"') > 12
    session = gather(work_dir).sessions[-1]
    commit = session['code']['commit'] or 'not a git checkout'
    sha = session['data']['train']['sha256'][:16]
    for fact in (
        commit,
        sha,
        'infos.pkl',
        session['hardware']['processor'],
        session['started'],
        'epoch_2.pth',
        'tiny &amp; small',
        'loss_range',
        'NeuSRenderHead',
    ):
        assert fact in text, fact
    assert figures['verdicts']['Rays that miss the volume (masked rays)'] == 'good'


def test_a_browser_shows_it_without_a_complaint(work_dir: Path, tmp_path: Path, chromium: str) -> None:  # noqa: F811
    page = tmp_path / 'r.html'
    write_report(work_dir, page)
    click = (
        "document.querySelectorAll('.film button')[2].click();"
        "const slider = document.querySelector('.film input'); slider.value = 0;"
        "slider.dispatchEvent(new Event('input'));"
        "const svg = document.querySelector('.chart svg'), box = svg.getBoundingClientRect();"
        "svg.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 9, clientY: box.top + 9}));"
    )
    seen = visit(chromium, page, tmp_path, click)
    assert (seen.errors, seen.missing, seen.broken, seen.resources, seen.console) == ([], [], [], [], [])
    shown = re.findall(r'<img data-tab="(\d)" data-step="(\d+)"[^>]*class="on"', seen.dom)
    assert shown == [('2', '0')], 'the tab and the slider choose the picture'
    once = visit(chromium, page, tmp_path / 'once', click.replace('[2]', '[5]').replace('value = 0', 'value = 1'))
    shown = re.findall(r'<img data-tab="(\d)" data-step="(\d+)"[^>]*class="on"', once.dom)
    assert shown == [('5', '0')], 'it was not drawn at iteration 2: the one before'
    reading = re.search(r'<figcaption>loss<output>(\d+): ([\d.]+)</output>', seen.dom)
    last = gather(work_dir).train['loss'][-1]
    assert reading and int(reading[1]) == last[0] and float(reading[2]) == pytest.approx(last[1], rel=1e-3)


def test_a_narrow_page_does_not_run_off(work_dir: Path, tmp_path: Path, chromium: str) -> None:  # noqa: F811
    page = tmp_path / 'r.html'
    write_report(work_dir, page)
    wide = (
        "const size = document.createElement('b'); size.id = 'w';"
        "size.textContent = document.documentElement.scrollWidth + ' ' + innerWidth; document.body.append(size);"
    )
    seen = visit(chromium, page, tmp_path, wide, width=500)
    needed, shown = map(int, re.search(r'<b id="w">(\d+) (\d+)</b>', seen.dom).groups())
    assert needed <= shown == 500


def test_the_browser_test_sees_errors_and_missing_files(tmp_path: Path, chromium: str) -> None:  # noqa: F811
    page = tmp_path / 'bad.html'
    Image.new('RGB', (4, 4)).save(tmp_path / 'there.png')
    page.write_text(
        '<!DOCTYPE html><html><head><title>t</title></head><body><img src="gone.png" alt="gone">'
        '<img src="there.png" alt="there">'
        '<script>console.error("on purpose"); undefinedFunction();</script></body></html>'
    )
    seen = visit(chromium, page, tmp_path)
    assert any('on purpose' in e for e in seen.errors) and any('undefinedFunction' in e for e in seen.errors)
    assert seen.missing and seen.broken == ['gone'] and any('there.png' in r for r in seen.resources)
    assert any('undefinedFunction' in line for line in seen.console)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='holds no run'):
        gather(tmp_path)
    with pytest.raises(FileNotFoundError, match='not a folder'):
        gather(tmp_path / 'nowhere')
