"""What a metric asks of the data set that is evaluated: all frames of its split, before and after, and its classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Sequence

from ..datasets.info_file import read_info_file
from ..datasets.labels import not_there, spelt_otherwise
from ..errors import ConfigError, DatasetError


def evaluated_tokens(dataset: Any, ann_file: str) -> Optional[List[str]]:
    """Tokens of the frames that an evaluation will look at, all of ``ann_file``; None for a dataset without tokens.

    Args:
        dataset: of the evaluation, a ``CLAPDataset`` or another one.
        ann_file: info file of the metric.

    Raises:
        DatasetError: the dataset leaves frames of the file out, or has others.
    """
    if not hasattr(dataset, 'tokens'):
        return None
    same = Path(dataset.ann_file).resolve() == Path(ann_file).resolve()
    expected = dataset.tokens_of_file if same else tokens_of(read_info_file(ann_file, None))
    check_whole_split(dataset.tokens, expected, ann_file)
    return dataset.tokens


def tokens_of(content: dict) -> List[str]:
    """Tokens of the frames of an info file."""
    return [str(info['token']) for info in content['data_list']]


def check_whole_split(predicted: Sequence[str], expected: Sequence[str], ann_file: str) -> None:
    """``DatasetError`` unless every frame of the split is, or will be, predicted once."""
    missing, extra = set(expected) - set(predicted), set(predicted) - set(expected)
    if missing or extra or len(predicted) != len(expected):
        raise DatasetError(
            f'the metric is defined on a whole split: {ann_file} has {len(expected)} frames, '
            f'{len(predicted)} are evaluated ({len(missing)} missing, {len(extra)} of another file). '
            'Remove indices and load_interval from the evaluation data set, and let ann_file of data '
            'set and evaluator be the same'
        )


def check_same_classes(own: Optional[Sequence[str]], classes: Sequence[str]) -> None:
    """``ConfigError`` unless the data set's classes are those of the metric, in this order; None: it tells none."""
    if own is not None and list(own) != list(classes):
        unknown = [name for name in classes if name not in own]
        missing = f'. {not_there(unknown, spelt_otherwise(unknown, own))}' if unknown else ''
        raise ConfigError(
            f'val_evaluator.classes are {", ".join(classes)}, but the classes of the evaluation data set are '
            f'{", ".join(own)}: labels would be taken for each other{missing}'
        )
