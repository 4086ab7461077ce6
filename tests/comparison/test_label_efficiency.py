"""The command with real (tiny) trainings: killed, resumed, refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from projects.CLAP.clap.engine.lock import locked_work_dir
from projects.CLAP.clap.errors import DatasetError, WorkDirBusyError
from projects.CLAP.comparison import PlanError, read_plan
from projects.CLAP.comparison.command import list_jobs, run_jobs
from projects.CLAP.comparison.plan import all_jobs
from projects.CLAP.comparison.records import read_record, write_records
from projects.CLAP.comparison.workplace import Workplace
from tests.fixtures.fake_records import fake_record
from tests.fixtures.sim_dataset import tiny_dataset
from tests.fixtures.tiny_plan import CONFIGS, PLAN, ROOT, write_plan

ONLY = ['finetune-clap-50pct-1ep-seed1']
PROBED = dict(
    pretrain=dict(PLAN['pretrain'], clap=dict(config='pretrain.py', epochs=6)), points=dict(labels=1, seeds=1)
)


@pytest.fixture
def plan_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('CLAP_DATA_ROOT', str(tiny_dataset().parent))
    return write_plan(tmp_path / 'plan', **PROBED)


def test_killed_resumed_finished_and_not_run_again(plan_file: Path, tmp_path: Path, capsys) -> None:
    work, command = tmp_path / 'work', [sys.executable, 'tools/analysis_tools/label_efficiency.py', str(plan_file)]
    with open(tmp_path / 'printed', 'w') as log:
        process = subprocess.Popen(
            [*command, '--work-dir', str(work), '--results', str(tmp_path / 'results'), '--only', *ONLY],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env=dict(os.environ),
        )
        deadline = time.monotonic() + 500
        while not (work / 'runs/pretrain-clap/last_checkpoint').is_file() and process.poll() is None:
            if time.monotonic() > deadline:
                process.terminate()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    printed = (tmp_path / 'printed').read_text()
    assert process.returncode == 128 + signal.SIGTERM, printed
    assert 'stopped by SIGTERM; the same command goes on' in printed and not (work / 'records').exists()
    plan = read_plan(plan_file)
    assert run_jobs(plan, work, ONLY, slots=1) == ({}, None)
    said = (work / 'progress.log').read_text()
    assert 'go on      pretrain-clap' in said and 'finished   finetune-clap-50pct-1ep-seed1: mAP' in said
    pretrain, tuned = (read_record(work / 'records' / f'{name}.json') for name in ('pretrain-clap', *ONLY))
    assert pretrain['sessions'] == 2 and pretrain['iterations'] == 18 and pretrain['metrics']['rays'] > 100
    assert len(pretrain['points']['miou']['checkpoint']) == 1
    assert 'resumed epoch' in (work / 'runs/pretrain-clap/printed.log').read_text()
    assert tuned['transfer']['share'] == 1.0 and tuned['transfer']['modules']['bbox_head'] < 1.0
    assert tuned['labels']['frames'] == 1 and tuned['labels']['of'] == 3 and tuned['offset'] == 1
    assert set(tuned['metrics']) >= {'mAP', 'NDS', 'AP/car', 'mATE'} and tuned['iterations'] == 3
    assert len(list((work / 'runs/pretrain-clap').glob('*.pth'))) == 1
    assert not list((work / 'runs' / ONLY[0]).glob('*.pth')), 'a finished fine-tuning leaves no checkpoint'
    assert list_jobs(plan, work, ONLY) == dict(plan='tiny', jobs=2, done=2, gpu_hours=0, missing=[])
    assert 'done   finetune-clap-50pct-1ep-seed1: 1 epochs, 1 of 3 frames' in capsys.readouterr().out
    begun = time.monotonic()
    assert run_jobs(plan, work, ONLY, slots=1) == ({}, None)
    assert time.monotonic() - begun < 5 and '2 jobs, 2 done' in (work / 'progress.log').read_text().splitlines()[-1]
    _refusals(plan_file, work)


def _refusals(plan_file: Path, work: Path) -> None:
    """Records and data that do not belong to the plan (any more)."""
    options = ['optim_wrapper.optimizer.lr=0.5']
    tuned = dict(config='finetune.py', options=options)
    changed = read_plan(write_plan(plan_file.parent, **PROBED, finetune=tuned))
    with pytest.raises(
        PlanError, match='record was made with other configuration .*job.py has the former one.*or remove'
    ):
        run_jobs(changed, work, ONLY, slots=1)
    plan = read_plan(write_plan(plan_file.parent, **PROBED))
    (weights,) = (work / 'weights').glob('clap-*.pth')
    whole = weights.read_bytes()
    torch.save(dict(state_dict={'pts_neck.weight': torch.zeros(1)}), weights)
    with pytest.raises(PlanError, match='its record was made with other weights'):
        run_jobs(plan, work, ONLY, slots=1)
    weights.write_bytes(whole)
    (work / 'records' / f'{ONLY[0]}.json').unlink()
    assert run_jobs(plan, work, ONLY, slots=1) == ({}, None), 'a job whose record was removed runs again'
    again = read_record(work / 'records' / f'{ONLY[0]}.json')
    assert again['sessions'] == 1 and again['iterations'] == 3 and 'mAP' in again['metrics']
    weights.unlink()
    (work / 'records' / f'{ONLY[0]}.json').unlink()
    checkpoint = work / 'runs/pretrain-clap/epoch_6.pth'
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    failed, _ = run_jobs(plan, work, ONLY, slots=1)
    assert (
        'epoch_6.pth cannot be read' in failed[ONLY[0]]
        and 'remove records and runs of pretrain-clap' in failed[ONLY[0]]
    )


def test_an_unfinished_run_of_another_configuration_is_not_continued(plan_file: Path, tmp_path: Path) -> None:
    plan = read_plan(plan_file)
    place = Workplace(plan, tmp_path / 'work')
    job = next(job for job in all_jobs(plan) if job.name == 'finetune-random-50pct-1ep-seed0')
    place.prepare(job)
    assert not place.done(job)
    changed = Workplace(
        read_plan(
            write_plan(
                plan_file.parent,
                finetune=dict(config='finetune.py', options=['optim_wrapper.optimizer.lr=1.0']),
            )
        ),
        tmp_path / 'work',
    )
    with pytest.raises(PlanError, match='its unfinished run was made with other configuration'):
        changed.done(job)


def test_checkpoints_from_elsewhere_are_not_taken_for_a_run_of_the_plan(plan_file: Path, tmp_path: Path) -> None:
    place = Workplace(read_plan(plan_file), tmp_path / 'work')
    job = next(job for job in all_jobs(place.plan) if job.name == 'pretrain-clap')
    place.run_dir(job).mkdir(parents=True)
    assert not place.done(job)
    (place.run_dir(job) / 'epoch_1.pth').write_bytes(b'somebody copied it here')
    with pytest.raises(PlanError, match='its unfinished run was made with other .* data than'):
        place.done(job)


def test_weights_are_those_of_the_plan_and_of_the_runs_begin(plan_file: Path, tmp_path: Path, monkeypatch) -> None:
    """Another way to put an arm together is another file; a run does not go on with weights that were exchanged."""
    work = tmp_path / 'work'
    plan = read_plan(plan_file)
    other = read_plan(
        write_plan(plan_file.parent, **PROBED, arms=[*PLAN['arms'][:2], dict(name='clap', weights='lidar')])
    )
    first, second = (Workplace(one, work) for one in (plan, other))
    assert first.configs.weights_of('clap') != second.configs.weights_of('clap')
    assert first.configs.weights_of('half') == second.configs.weights_of('half')
    own = Workplace(replace(plan, arms=(*plan.arms[:2], replace(plan.arm('clap'), same_seed=True))), work).configs
    assert own.weights_of('clap', 0) == first.configs.weights_of('clap', 1) != own.weights_of('clap', 1)
    job = next(job for job in all_jobs(plan) if job.name == ONLY[0])
    target = first.configs.weights_of('clap')
    target.parent.mkdir(parents=True)
    torch.save(dict(state_dict={'pts_neck.weight': torch.zeros(1)}), target)
    first.prepare(job)
    assert not first.done(job)
    torch.save(dict(state_dict={'pts_neck.weight': torch.ones(1)}), target)
    with pytest.raises(PlanError, match='its unfinished run was made'):
        Workplace(plan, work).done(job)


def test_shares_without_a_frame_and_missing_data_are_named_first(plan_file: Path, tmp_path: Path, monkeypatch) -> None:
    rows = [dict(arms=['random'], share=9, epochs=1, seeds=[0, 1])]
    plan = read_plan(write_plan(plan_file.parent, pretrain={}, arms=PLAN['arms'][:1], subject='random', rows=rows))
    with pytest.raises(DatasetError, match=r'load_interval 9, load_offset 7; the smallest share .*=3'):
        list_jobs(plan, tmp_path / 'work', [])
    copied = tmp_path / 'data' / 'sim'
    shutil.copytree(tiny_dataset(), copied)
    monkeypatch.setenv('CLAP_DATA_ROOT', str(copied.parent))
    moved = read_plan(write_plan(plan_file.parent, make_data='make_it --out {data_root}'))
    job = all_jobs(moved)[-1]
    place = Workplace(moved, tmp_path / 'work')
    write_records(place.record_path(job), fake_record(job, 0.1, **place.made_from(job)))
    assert place.done(job)
    (copied / 'sim_infos_val.pkl').write_bytes((copied / 'sim_infos_val.pkl').read_bytes() + b'.')
    with pytest.raises(PlanError, match='its record was made with other data than'):
        Workplace(moved, tmp_path / 'work').done(job)
    (copied / 'sim_infos_train.pkl').unlink()
    with pytest.raises(DatasetError, match=f'sim_infos_train.pkl does not exist.*make_it --out {copied}') as error:
        run_jobs(moved, tmp_path / 'elsewhere', [], slots=1)
    assert list_jobs(moved, tmp_path / 'elsewhere', [])['missing'] == [str(error.value)]


def test_a_dry_run_of_the_papers_tables_needs_no_data(tmp_path: Path, monkeypatch, capsys) -> None:
    """Hours: steps of an epoch (28 130 frames by 32, 123 580 by 24), epochs, and seconds of a step at four frames."""
    for name in ('CLAP_DATA_ROOT', 'TORCH_HOME', 'CUDA_VISIBLE_DEVICES'):  # the last is put back afterwards
        monkeypatch.setenv(name, str(tmp_path))
    plan = read_plan(CONFIGS / 'nuscenes.py')
    found = list_jobs(plan, tmp_path / 'work', [])
    said = capsys.readouterr().out
    pretrain, finetune = 12 * 28130 / 32 * 0.441 / 3600, 6 * 123580 / 32 * 0.406 / 3600
    assert f'to do  pretrain-clap: 12 epochs on 8 GPUs, {pretrain:.1f} hours\n' in said
    assert f'to do  finetune-random-0p5pct-12ep-seed0: 12 epochs on 8 GPUs, {2 * finetune:.1f} hours\n' in said
    # Table 1: three arms, five seeds; Table 4: two more; Table 3: two arms, three shares; length: half and double.
    hours = 8 * (5 * pretrain + (15 + 2 + 6 + 4 * 2.5) * finetune)
    assert found['jobs'] == 5 + 15 + 2 + 6 + 8 and found['gpu_hours'] == round(hours)
    assert f'left: {hours:.0f} hours of a GPU, {hours / 8 / 24:.1f} days on 8 of them (0.44 and 0.41 s' in said
    assert found['missing'][0].startswith(f'{tmp_path}/nuscenes/nuscenes_infos_train.pkl does not exist')
    assert 'fetched when first needed: https://' in said and 'swin_tiny_patch4' in said
    list_jobs(plan, tmp_path / 'work', ['pretrain-clap'], ['card'] * 16)
    assert f'left: {8 * pretrain:.0f} hours of a GPU, {pretrain / 2 / 24:.1f} days on 16' in capsys.readouterr().out
    for refused in (list_jobs, partial(run_jobs, slots=1)):
        with pytest.raises(PlanError, match=r'takes 8 GPUs, given are 4 .*lower gpus in the plan'):
            refused(plan, tmp_path / 'work', [], gpus=list('0123'))
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 7)
    with pytest.raises(PlanError, match='--gpus 0 1 2 3 4 5 6 7: 7 of these 8 can be used'):
        run_jobs(plan, tmp_path / 'work', [], slots=1, gpus=list('01234567'))
    assert not (tmp_path / 'work').exists()


@pytest.mark.slow
def test_a_job_of_two_gpus_is_trained_by_two_processes(plan_file: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    plan = read_plan(plan_file)
    both = replace(plan, finetune=replace(plan.finetune, gpus=2))
    name = 'finetune-random-50pct-1ep-seed0'
    assert run_jobs(both, tmp_path / 'work', [name], 1, ['0', '1']) == ({}, None)
    record = read_record(tmp_path / 'work/records' / f'{name}.json')
    assert record['iterations'] == 2 and 'mAP' in record['metrics'], 'three frames, two at a time'
    with pytest.raises(PlanError, match='record was made with other configuration'):
        list_jobs(plan, tmp_path / 'work', [name])


def test_records_of_an_earlier_version_are_not_gone_on_from(plan_file: Path, tmp_path: Path) -> None:
    plan = read_plan(plan_file)
    job = all_jobs(plan)[-1]
    write_records(tmp_path / 'work/records/old.json', dict(fake_record(job, 0.1), format=1))
    with pytest.raises(PlanError, match='records of an earlier version.* --summarize still reads them'):
        list_jobs(plan, tmp_path / 'work', [])


def test_a_second_command_stays_out(plan_file: Path, tmp_path: Path) -> None:
    plan = read_plan(plan_file)
    with locked_work_dir(tmp_path / 'work'), pytest.raises(WorkDirBusyError, match='in use by another'):
        run_jobs(plan, tmp_path / 'work', ONLY, slots=1)
    assert json.dumps(list_jobs(plan, tmp_path / 'work', ONLY)['done']) == '0'
