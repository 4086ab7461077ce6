"""The enrichment figures as tables for people."""

from __future__ import annotations

from typing import Dict, Optional

from ..files.text_table import text_table


def _cell(value: Optional[float]) -> str:
    return '-' if value is None else f'{value:.2f}'


def format_tables(figures: Dict[str, dict]) -> str:
    """The main figures, and the ratios of every class and distance band that some point belongs to (Markdown)."""
    names = list(figures)
    rows = []
    for name in names:
        lidar, pixel = figures[name]['lidar'], figures[name]['pixel'] or {}
        rows.append(
            [name]
            + [
                _cell(lidar[key])
                for key in ('object_ratio', 'road_ratio', 'pca_rank_correlation', 'entropy', 'effective_share')
            ]
            + [_cell(pixel.get(key)) for key in ('object_ratio', 'road_ratio', 'hit_share')]
        )
    main = text_table(
        [
            'relative to uniform',
            'objects',
            'road',
            'rank corr. with PCA',
            'entropy',
            'effective share',
            'pixels: objects',
            'pixels: road',
            'pixels with a point',
        ],
        rows,
        markdown=True,
    )
    groups = figures[names[0]]['lidar']['groups']
    rows = [
        [group] + [_cell(figures[name]['lidar']['groups'].get(group)) for name in names]
        for group in groups
        if any(figures[name]['lidar']['groups'].get(group) is not None for name in names)
    ]
    return main + '\n\n' + text_table(['share of drawn points', *names], rows, markdown=True)
