"""Two thousand steps of the whole training command: memory, open files and tensors stay what they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures.command_run import pretraining
from tests.fixtures.driving_frames import frame_info, write_dataset, write_infos
from tests.fixtures.killed_runs import curve, launch_tool

STEPS_AN_EPOCH, EPOCHS, FRAMES = 200, 10, 8
#: What the main process and each worker may gain after the first 500 iterations, in MiB. MMEngine's history of what is
#: logged is part of it: about 0.6 KB an iteration, in checkpoints too.
SLACK = 20


def frames_to(folder: Path) -> None:
    """Eight frames, listed 25 times each."""
    write_dataset(folder, FRAMES)
    infos = [
        {**frame_info(number % FRAMES), 'token': f'token{number}', 'sample_idx': number}
        for number in range(STEPS_AN_EPOCH)
    ]
    write_infos(folder / 'infos.pkl', infos)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_thousand_steps_in_flat_memory(tmp_path: Path) -> None:
    frames_to(tmp_path)
    work = tmp_path / 'run'
    config = pretraining(
        tmp_path,
        tmp_path / 'cfg.py',
        epochs=EPOCHS,
        warmup_epochs=2,
        pictures=dict(interval=100, figures=['cameras', 'lidar_range', 'curvature', 'prototypes', 'rays']),
        extra_hooks=[dict(type='MemoryTrace', interval=100)],
        overrides={
            'model.ray_sampler.num_lidar_rays': 16,
            'model.ray_sampler.num_camera_rays': 4,
            'train_dataloader.batch_size': 1,
            'train_cfg.val_interval': 2,
            'default_hooks.logger.interval': 10,
        },
    )
    process = launch_tool(work, 'train', str(config), '--work-dir', str(work))
    process.join()
    printed = (work / 'printed.txt').read_text()
    assert process.exitcode == 0, printed[-3000:]
    trace = [json.loads(line) for line in (work / 'memory.jsonl').read_text().splitlines()]
    losses = [float.fromhex(line['loss']) for line in curve(work)]
    assert [line['iter'] for line in trace] == list(range(100, 2001, 100)) and len(losses) == 2000
    assert curve(work)[-1]['sampler'] == 'CurvatureRaySampler' and 'no pictures' not in printed
    for name in ('events.out.tfevents.*', 'vis_image/frame0_cameras_2000.png', 'scalars.json'):
        assert list(work.glob(f'*/vis_data/{name}')), name
    for line in trace:
        print(line)
    settled, last = trace[4], trace[-1]
    print(f'loss {np.mean(losses[:20]):.3f} -> {np.mean(losses[-20:]):.3f}')
    assert last['mib'] - settled['mib'] < SLACK
    assert len(last['workers']) == len(settled['workers']) == 2
    assert all(now - then < SLACK for now, then in zip(last['workers'], settled['workers']))
    assert last['open_files'] <= settled['open_files'] and last['tensors'] <= settled['tensors']
    assert np.mean(losses[-20:]) < np.mean(losses[:20])
