"""Compiled operators that are run, not just imported; the GPU and whether torch was built for it; memory and disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, List

from .findings import BAD, GOOD, WATCH, Finding
from .versions import CUDA_VERSIONS, SETUP


def check_mmcv_ops() -> List[Finding]:
    """Non-maximum suppression of three boxes with a known answer, on the CPU and on the GPU."""
    import torch
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    findings = []
    for device in _devices(torch):
        kept = nms(boxes.to(device), scores.to(device), iou_threshold=0.5)[1].tolist()
        if kept != [0, 2]:
            findings.append(
                Finding(
                    BAD,
                    'mmcv ops',
                    f'nms on {device} kept boxes {kept}, expected [0, 2]',
                    'remove the wheel of this Python and torch below ~/.cache/clap/wheels, then ' + SETUP,
                )
            )
        else:
            findings.append(Finding(GOOD, 'mmcv ops', f'nms ran on {device}'))
    return findings


def check_spconv() -> List[Finding]:
    """A sparse convolution of the project against a dense one, on the CPU and on the GPU."""
    import torch
    from spconv.pytorch import SparseConvTensor

    from projects.CLAP.clap.encoders.sparse_conv import CLAPSubMConv3d

    generator = torch.Generator().manual_seed(0)
    coords = torch.randperm(6 * 6 * 6, generator=generator)[:50]
    indices = torch.stack([torch.zeros_like(coords), coords // 36, coords // 6 % 6, coords % 6], dim=1).int()
    features = torch.randn(50, 4, generator=generator)
    findings = []
    for device in _devices(torch):
        layer = CLAPSubMConv3d(4, 5, 3, padding=1, bias=False).to(device)
        weight = layer.weight.detach()
        weight = weight.permute(0, 4, 1, 2, 3)  # (out, x, y, z, in) -> conv3d's (out, in, x, y, z)
        with torch.no_grad():
            sparse = layer(SparseConvTensor(features.to(device), indices.to(device), [6, 6, 6], 1)).dense()
            volume = SparseConvTensor(features.to(device), indices.to(device), [6, 6, 6], 1).dense()
            # In double precision: cuDNN's float32 convolutions round to 10 bits.
            dense = torch.nn.functional.conv3d(volume.double(), weight.double(), padding=1)
            dense = dense * (volume.abs().sum(1, keepdim=True) > 0)
        error = float((sparse - dense).abs().max())
        if error > 1e-3:
            findings.append(
                Finding(
                    BAD,
                    'spconv',
                    f'sparse and dense convolution differ by {error:.2g} on {device}',
                    'install the spconv of requirements/builds.txt for your CUDA version, or for the CPU',
                )
            )
        else:
            findings.append(Finding(GOOD, 'spconv', f'equals a dense convolution on {device} (error {error:.1g})'))
    return findings


def check_embree() -> List[Finding]:
    """One ray against one triangle; the simulator needs it."""
    fix = 'pip install "embreex==4.4.0"; only `tools/create_data.py sim` needs it'
    try:
        import numpy as np
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh

        scene = rtcore_scene.EmbreeScene()
        TriangleMesh(scene, np.array([[[0, 0, 1], [4, 0, 1], [0, 4, 1]]], dtype=np.float32))
        hit = int(scene.run(np.array([[1, 1, 0]], dtype=np.float32), np.array([[0, 0, 1]], dtype=np.float32))[0])
    except Exception as error:  # a broken binary may raise anything
        return [Finding(WATCH, 'embree', f'cannot cast rays ({error})', fix)]
    return [
        Finding(GOOD, 'embree', 'a ray hits its triangle')
        if hit == 0
        else Finding(WATCH, 'embree', 'a ray misses its triangle', fix)
    ]


def check_gpu() -> List[Finding]:
    """Is there a GPU, can this torch use it, and does a kernel run on it?"""
    import torch

    if not torch.cuda.is_available():
        if shutil.which('nvidia-smi') or Path('/proc/driver/nvidia/version').exists():
            return [
                Finding(
                    WATCH,
                    'gpu',
                    f'this machine has an NVIDIA driver, but torch {torch.__version__} cannot use '
                    'it (CPU build, or its CUDA is newer than the driver)',
                    f'bash tools/setup_env.sh --cuda VERSION ({CUDA_VERSIONS}; at most what nvidia-smi shows)',
                )
            ]
        return [Finding(GOOD, 'gpu', 'none; clap_sim and clap_pandaset train on the CPU, clap_nus is sized for 8 GPUs')]
    findings, built_for = [], torch.cuda.get_arch_list()
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        arch = f'sm_{properties.major}{properties.minor}'
        about = f'{index}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB, {arch}'
        try:
            value = float((torch.ones(8, 8, device=f'cuda:{index}') @ torch.ones(8, 8, device=f'cuda:{index}')).sum())
        except RuntimeError as error:
            findings.append(
                Finding(
                    BAD,
                    'gpu',
                    f'{about}: no kernel runs ({str(error).splitlines()[0]}); this torch '
                    f'was built for {", ".join(built_for)}',
                    f'install a torch build with {arch}: bash tools/setup_env.sh --cuda VERSION ({CUDA_VERSIONS}), '
                    'or --torch and --torch-index for another one',
                )
            )
            continue
        assert value == 512.0
        findings.append(Finding(GOOD, 'gpu', f'{about}; torch built for CUDA {torch.version.cuda}'))
    return findings


def check_machine(work_dir: str = '.') -> List[Finding]:
    """Cores, memory and disk space."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    free = shutil.disk_usage(work_dir).free / 2**30
    about = f'{cores} cores, {memory:.0f} GiB memory, {free:.0f} GiB free on disk'
    if free < 2:
        return [
            Finding(
                WATCH,
                'machine',
                about,
                'free 2 GiB of disk space, or point --work-dir and CLAP_DATA_ROOT to '
                'another disk: checkpoints and data may not fit',
            )
        ]
    if memory < 6:
        return [
            Finding(
                WATCH,
                'machine',
                about,
                'lower train_dataloader.batch_size and num_workers: a step of clap_sim takes about 3 GiB',
            )
        ]
    return [Finding(GOOD, 'machine', about)]


def _devices(torch: Any) -> List[str]:
    return ['cpu'] + (['cuda'] if torch.cuda.is_available() else [])
