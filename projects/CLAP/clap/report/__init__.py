"""A report of a run: one HTML file from what training left in its work directory."""

from pathlib import Path

from .gather import RunData, gather
from .health import findings, to_measure
from .page import render_page
from .verdict import summary

__all__ = ['RunData', 'findings', 'gather', 'render_page', 'summary', 'to_measure', 'write_report']


def write_report(work_dir: Path, out: Path, max_steps: int = 12) -> RunData:
    """Write the report of a work directory; returns what it was made from.

    Args:
        work_dir: of a training run.
        out: the HTML file.
        max_steps: iterations per figure that are kept.
    """
    run = gather(work_dir)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render_page(run, max_steps), encoding='utf-8')
    return run
