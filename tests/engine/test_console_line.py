"""Lines of figures on the console: at most eight figures in at most 160 columns."""

from __future__ import annotations

import logging
from typing import Sequence

import pytest

from projects.CLAP.clap.engine.console_line import COLUMNS, FIGURES, ConsoleFormatter

STEP = (
    'Epoch(train)  [12][ 700/7033]  base_lr: 1.0000e-03 lr: 1.0000e-03  eta: 1 day, 3:00:00  time: 18.5252  '
    'data_time: 0.0300  memory: 12345  loss: 150.1931  loss_heatmap: 144.9119  layer_-1_loss_cls: 4.0706  '
    'loss_small: 0.0001  layer_-1_loss_bbox: 1.2106  matched_ious: 0.0187  opacity: 0.5  samples_per_second: 20000.0'
)
SCORES = ('mAP', 'NDS', *(f'AP/class_{index}' for index in range(10)), 'mATE', 'mASE')
EVALUATION = '  '.join(['Epoch(val) [1][8/8]  ', *(f'nuscenes/{name}: 0.2512' for name in SCORES), 'time: 0.1'])


def written(line: str, wanted: Sequence[str] = ()) -> str:
    record = logging.LogRecord('mmengine', logging.INFO, '', 0, line, (), None)
    shown = ConsoleFormatter(logging.Formatter('as it is: %(message)s'), lambda: wanted).format(record)
    assert record.msg == line, 'the handler of the file gets the whole line'
    return shown


def figures(shown: str) -> list:
    assert len(shown) <= COLUMNS and '\n' not in shown
    _, _, after = shown.partition(')')
    return after.split('  ')[-(after.count('  ')) :]


def test_a_step_shows_loss_parts_and_what_the_model_wants() -> None:
    shown = written(STEP, ['matched_ious', 'of_another_model'])
    assert '[12][ 700/7033]  loss 150.2  heatmap 144.9  layer_-1_cls 4.071' in shown
    assert shown.endswith('  matched_ious 0.0187  20.0k samples/s  1 day, 3:00:00 left')
    assert 'small' not in shown and 'opacity' not in shown, 'the smallest part goes first'
    assert len(figures(shown)) <= FIGURES + 1  # and where the run is


@pytest.mark.parametrize('value', ['nan', 'inf'])
def test_a_part_that_is_no_number_is_shown(value: str) -> None:
    parts = '  '.join(f'loss_{index}: 1.0' for index in range(20))
    shown = written(f'Iter(train) [  5/100]  lr: 1.0e-03  eta: 0:00:01  loss: {value}  {parts}  loss_bad: {value}')
    assert f'  loss {value}  bad {value}  ' in shown and len(figures(shown)) <= FIGURES + 1


def test_rays_count_for_more_than_samples() -> None:
    shown = written(
        'Epoch(train) [1][1/2]  loss: 3.0  samples_per_second: 5.9  memory_gib: 0.7  rays_per_second: 569.8'
    )
    assert shown.endswith('[1][1/2]  loss 3  570 rays/s')


def test_an_evaluation_shows_what_is_least_broken_down() -> None:
    shown = written(EVALUATION, ['mASE'])
    assert 'nuscenes/mASE 0.2512  nuscenes/mAP 0.2512  nuscenes/NDS 0.2512  nuscenes/mATE 0.2512' in shown
    left = len(SCORES) + 1 - shown.count('nuscenes/')
    assert shown.endswith(f'(+{left} in the log file)') and left > 0
    assert len(shown) <= COLUMNS
    few = written('Epoch(test) [8/8]    render/range_median_m: 0.5213  render/rays: 12345.0000  time: 0.4')
    assert few.endswith('Epoch(test) [8/8]  render/range_median_m 0.5213  render/rays 12345  time 0.4')


@pytest.mark.parametrize('line', ['Saving checkpoint at 1 epochs', 'Epoch(val) has no figures', f'a\n{STEP}'])
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert written(line) == f'as it is: {line}'
