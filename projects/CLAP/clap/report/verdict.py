"""One plain sentence on a run, by rule."""

from __future__ import annotations

from typing import List

from ..findings import BAD, UNKNOWN, WATCH, Finding

#: Steps before which figures of learning say little. On 14 real frames the range error of held-back rays was
#: below 1.5 m from step 210 on, and below 1 m from step 490 on.
MIN_STEPS = 500


def summary(rows: List[Finding], steps: int) -> str:
    """The verdict, and which figures are the reason.

    Bad data or geometry, and figures that are not finite, make a run "Not healthy" after any number of steps. Figures
    of learning do so from :data:`MIN_STEPS` on; before, it is too early to tell.

    Args:
        rows: from :func:`findings`.
        steps: iterations that the run has done.
    """
    bad, watch = ([row for row in rows if row.level == level] for level in (BAD, WATCH))
    measured = sum(row.level != UNKNOWN for row in rows)
    if not measured:
        return 'Nothing to judge: no health figure of a pre-training has been logged.'
    certain = [row for row in bad if row.from_start or 'nan' in row.value]
    if certain or (bad and steps >= MIN_STEPS):
        return f'Not healthy: {_titles(bad)}.' + (f' To watch: {_titles(watch)}.' if watch else '')
    if steps < MIN_STEPS:
        parts = [f'{word}: {_titles(found)}' for word, found in (('bad', bad), ('to watch', watch)) if found]
        now = f'So far {"; ".join(parts)}.' if parts else f'So far all {measured} figures are good.'
        return (
            f'Too early to tell: {steps} step{"s" * (steps != 1)}, figures of learning mean something from about '
            f'{MIN_STEPS} on. {now}'
        )
    if rows[0].level == UNKNOWN:
        return f'Not known: {rows[0].title} was not measured.' + (f' To watch: {_titles(watch)}.' if watch else '')
    return f'Healthy, but watch: {_titles(watch)}.' if watch else f'Healthy: all {measured} figures are good.'


def _titles(rows: List[Finding]) -> str:
    return '; '.join(row.title for row in rows)
