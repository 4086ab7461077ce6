"""Tables of figures: aligned for a terminal, marked for a document."""

from __future__ import annotations

from projects.CLAP.clap.files.text_table import text_table


def test_the_first_column_is_text_and_the_others_are_figures() -> None:
    rows = [['image', 7, '1.25'], ['cloud of points', 12, '–']]
    assert text_table(['part', 'entries', 's'], rows).splitlines() == [
        'part             entries     s',
        'image                  7  1.25',
        'cloud of points       12     –',
    ]
    assert text_table(['part', 'entries', 's'], rows[:1], markdown=True).splitlines() == [
        '| part | entries | s |',
        '| --- | ---: | ---: |',
        '| image | 7 | 1.25 |',
    ]
    assert text_table(['part', 'entries'], []) == 'part  entries'
