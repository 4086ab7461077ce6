"""Tables of figures as text."""

from __future__ import annotations

from typing import Any, Sequence


def text_table(head: Sequence[Any], rows: Sequence[Sequence[Any]], markdown: bool = False) -> str:
    """Lines of a table, the first column to the left and the others to the right.

    Args:
        head: titles of the columns.
        rows: a cell for each of them.
        markdown: for a document; otherwise columns are padded to equal width, for a terminal.
    """
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    if markdown:
        lines.insert(1, ['---', *['---:'] * (len(head) - 1)])
        return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
    widths = [max(map(len, column)) for column in zip(*lines)]
    return '\n'.join(
        '  '.join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))])
        for line in lines
    )
