"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

import shlex
from html import escape
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

from ..engine.run_record import duration
from ..findings import Finding
from ..pretrain.declaration import Chart
from .charts import chart
from .gather import Curve, RunData, marks_of
from .health import declared, findings, picture_titles
from .images import by_frame, data_uri, evenly
from .verdict import summary

_HERE = Path(__file__).parent
#: The browser itself refuses whatever is not in the file.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
#: Charts of the training log that every run has, besides the losses: heading -> scalars.
_COURSE = (
    Chart('learning rate', ('lr',)),
    Chart('gradient norm', ('grad_norm',)),
    Chart('seconds per step', ('time', 'data_time')),
    Chart('memory (MiB)', ('memory',)),
)
#: Pictures that every method's runs may have.
_EVERY_PICTURE = {'lidar_on_images': 'LiDAR points on the images: is the calibration right?'}


def render_page(run: RunData, max_steps: int = 12, image_width: int = 1150) -> str:
    """The whole document.

    Args:
        run: from :func:`gather`.
        max_steps: iterations per figure that are kept, spread evenly.
        image_width: of the embedded pictures, pixels.
    """
    rows = findings(run)
    body = ''.join(
        [
            f'<h1>{escape(run.name)}</h1>',
            f'<p class="summary">{escape(summary(rows, run.steps))}</p>',
            _section('run', 'What was run', _run_table(run)),
            _section('health', 'Health', _health_table(rows)),
            _section('curves', 'Curves', _curves(run)),
            _section('figures', 'Figures over time', _figures(run, max_steps, image_width)),
            _section('config', 'Configuration', _config(run)),
        ]
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f'<title>{escape(run.name)} – CLAP report</title><style>{(_HERE / "report.css").read_text()}</style></head>'
        f'<body><main>{body}</main><script>{(_HERE / "report.js").read_text()}</script></body></html>\n'
    )


def _section(name: str, title: str, content: str) -> str:
    return f'<section id="{name}"><h2>{title}</h2>{content}</section>'


def _table(rows: Iterable[Tuple[str, str]]) -> str:
    """Two columns; values are HTML already."""
    return (
        '<table class="facts">'
        + ''.join(f'<tr><th>{escape(name)}</th><td>{value}</td></tr>' for name, value in rows)
        + '</table>'
    )


# ---------------------------------------------------------------- what was run


def _run_table(run: RunData) -> str:
    rows: List[Tuple[str, str]] = []
    if run.sessions:
        last = run.sessions[-1]
        rows += [
            ('Configuration', escape(str(last.get('config') or 'not from a file'))),
            ('Command', _command(last)),
            ('Commit', _commit(last.get('code', {}))),
            ('Seed', escape(str(last.get('seed')))),
            *[(f'Data ({name})', _data(info)) for name, info in last.get('data', {}).items()],
            ('Hardware', _hardware(last)),
            ('Versions', escape(', '.join(f'{k} {v}' for k, v in last.get('versions', {}).items()))),
            *[
                (f'Session {i + 1}' if len(run.sessions) > 1 else 'Time', _times(session))
                for i, session in enumerate(run.sessions)
            ],
        ]
    else:
        rows.append(
            (
                'Record',
                'No run_card.json: add dict(type=\'RunRecordHook\') to the hooks to have '
                'commit, seed, data and hardware here.',
            )
        )
    rows.append(('Checkpoints', escape(', '.join(run.checkpoints) or 'none')))
    if run.probe:
        rows.append(('Probe', _probe(run.probe)))
    return _table(rows)


def _probe(figures: dict) -> str:
    """One sentence about what the frozen encoders know."""
    means = {start: sum(own) / len(own) for start, own in figures['miou'].items()}
    seeds, frames = len(figures['miou']['checkpoint']), figures['frames']
    layers = 'a linear layer' if figures['layers'] == 1 else 'two layers'
    return escape(
        f'{means["checkpoint"]:.1f} mIoU of points by {layers} on frozen {figures["features"]} features, '
        f'{means["random"]:.1f} with random encoders, {means["point"]:.1f} without ({frames["labelled"]} labelled and '
        f'{frames["measured"]} measured frames, {seeds} seeds)'
    )


def _command(session: dict) -> str:
    """What to type to run it again, from the root of the checkout if nothing else is said."""
    words = [str(word) for word in session.get('command', [])]
    count = session.get('processes', 1)
    start = ['torchrun', f'--nproc_per_node={count}'] if count > 1 and 'pytorch' in words else ['python']
    variables = [f'{name}={shlex.quote(value)}' for name, value in session.get('environment', {}).items()]
    folder = session.get('folder', '.')
    return f'<code>{escape(" ".join([*variables, shlex.join([*start, *words])]))}</code>' + (
        f' in <code>{escape(str(folder))}</code>' if folder != '.' else " in the project's folder"
    )


def _commit(code: dict) -> str:
    if not code.get('commit'):
        return 'unknown (not a git checkout)'
    return f'<code>{escape(code["commit"])}</code>' + (' with local changes' if code.get('modified') else '')


def _data(info: dict) -> str:
    if not info:
        return 'no info file'
    root = f' in <code>{escape(str(info["root"]))}</code>' if info.get('root') else ''
    return (
        f'{escape(str(info["file"]))}{root}, {info["frames"]} frames, SHA-256 '
        f'<code>{escape(info["sha256"][:16])}…</code> ({info["bytes"]} bytes)'
    )


def _hardware(session: dict) -> str:
    found = session.get('hardware', {})
    gpus = found.get('gpus') or []
    parts = [
        f'{len(gpus)} × {gpus[0]}' if gpus else 'no GPU',
        f'{found.get("processor")}, {found.get("cores")} cores',
        f'{found.get("memory_gib")} GiB memory',
        f'{session.get("processes", 1)} process(es)',
    ]
    return escape('; '.join(parts))


def _times(session: dict) -> str:
    started, ended = session.get('started'), session.get('ended')
    steps = f'iterations {session.get("first_iter")} to {session.get("last_iter")} of {session.get("max_iters")}'
    if not ended:
        seen = session.get('last_seen')
        return escape(
            f'{steps}; started {started}, no end recorded: running or interrupted'
            + (f' (last sign of life {seen})' if seen else '')
        )
    return escape(f'{steps}; {started} to {ended} ({duration(session)})')


# ---------------------------------------------------------------- health, curves, figures


def _health_table(rows: List[Finding]) -> str:
    cells = ''.join(
        f'<tr class="{row.level.replace(" ", "-")}"><td><b>{escape(row.title)}</b><small>{escape(row.meaning)}</small>'
        f'</td><td class="value">{escape(row.value)}</td><td><em>{escape(row.level)}</em></td>'
        f'<td>{escape(row.verdict)}{f"<p>What to do: {escape(row.remedy)}</p>" if row.remedy else ""}</td></tr>'
        for row in rows
    )
    return (
        '<table class="health"><thead><tr><th>Figure</th><th>Now</th><th>Verdict</th><th>Why, and what to do</th>'
        f'</tr></thead><tbody>{cells}</tbody></table>'
    )


def _curves(run: RunData) -> str:
    if not run.train:
        return '<p>No log line yet.</p>'
    marks, charts = marks_of(run), declared(run).charts
    at = [iteration for iteration, _ in marks]
    losses = sorted(name for name in run.train if name == 'loss' or name.startswith('loss_'))
    parts = [chart(name, {name: run.train[name]}, at) for name in losses]
    parts += [_chart(run.evaluation, one, at) for one in charts if one.evaluation]
    told = {
        name.split('/')[0] for one in charts if one.evaluation for name in one.scalars
    }  # by the method's own charts
    others = [name for name in run.evaluation if '/' in name and name.split('/')[0] not in told]
    parts += [chart(name, {name: run.evaluation[name]}, at, points=True) for name in others]
    parts += [_chart(run.train, one, at) for one in (*charts, *_COURSE) if not one.evaluation]
    parts += [chart(f'share of each loss in the gradient at the {place} map', of, at) for place, of in _shares(run)]
    note = 'Over the iteration; move the pointer over a chart to read it.'
    note += ''.join(f' Dashed: from iteration {iteration} on {escape(what)}.' for iteration, what in marks)
    return f'<p>{note}</p><div class="charts">{"".join(parts)}</div>'


def _shares(run: RunData) -> List[Tuple[str, Dict[str, Curve]]]:
    """Figures of GradientShareHook, ``grad_share_TERM_MAP``: map -> term -> curve."""
    split = [(*name[len('grad_share_') :].rsplit('_', 1), name) for name in run.train if name.startswith('grad_share_')]
    return [
        (place, {term: run.train[name] for term, where, name in split if where == place})
        for place in dict.fromkeys(where for _, where, _ in split)
    ]


def _chart(curves: Dict[str, Curve], one: Chart, marks: List[int]) -> str:
    found = {name: curves[name] for name in one.scalars if curves.get(name)}
    return chart(one.title, found, marks, one.evaluation) if found else ''


def _figures(run: RunData, max_steps: int, width: int) -> str:
    if not run.images:
        return (
            '<p>None: add dict(type=\'PretrainVisualizationHook\') to the hooks, or draw a checkpoint with '
            'tools/visualize.py.</p>'
        )
    titles, blocks = {**picture_titles(run), **_EVERY_PICTURE}, []
    rank = {name: place for place, name in enumerate(titles)}
    for frame, figures in by_frame(run.images).items():
        steps = evenly(sorted(set().union(*figures.values())), max_steps)
        tabs, panes = [], []
        for order, (name, files) in enumerate(sorted(figures.items(), key=lambda item: rank.get(item[0], len(rank)))):
            title, shown = titles.get(name, name), [step for step in steps if step in files]
            tabs.append(
                f'<button type="button" data-tab="{order}"{" class=on" if not order else ""}>{escape(title)}</button>'
            )
            panes += [
                f'<img data-tab="{order}" data-step="{step}" alt="{escape(title)}, iteration {step}" '
                f'src="{data_uri(files[step], width)}"'
                f'{" class=on" if not order and step == shown[-1] else ""}>'
                for step in shown
            ]
        blocks.append(
            f'<div class="film" data-steps="{",".join(map(str, steps))}"><div class="tabs">{"".join(tabs)}</div>'
            f'<label>{escape(frame.replace("frame", "Frame ") or "Pictures")}, iteration <output>{steps[-1]}</output> '
            f'<input type="range" min="0" max="{len(steps) - 1}" value="{len(steps) - 1}"></label>'
            f'<div class="panes">{"".join(panes)}</div></div>'
        )
    return ''.join(blocks)


def _config(run: RunData) -> str:
    if not run.config_text:
        return '<p>The work directory holds no configuration.</p>'
    return (
        f'<details><summary>As it was run, with all overrides</summary><pre>{escape(run.config_text)}</pre></details>'
    )
