"""Looking at a model in the middle of its training without a trace."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import Iterator

import numpy as np
import torch


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards everything that a step depends on is as it was.

    Restored: the mode of every single module (a frozen one stays frozen),
    ``requires_grad`` of every parameter, the random states of Python, numpy and
    torch (CPU and the current GPU) and the model's own generator. Running
    statistics of the norms do not move in evaluation mode. Nothing here talks
    to other ranks, so one rank may look while the others wait at their next
    collective.
    """
    modes = [(module, module.training) for module in model.modules()]
    gradients = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    python, numpy_state, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    gpu = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    generator = getattr(model, '_generator', None)
    generator_state = None if generator is None else generator.get_state()
    try:
        for module, _ in modes:
            module.training = False  # not .eval(): backbones that freeze stages do more than that in it
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, needed in gradients:
            parameter.requires_grad_(needed)
        random.setstate(python)
        np.random.set_state(numpy_state)
        torch.set_rng_state(cpu)
        if gpu is not None:
            torch.cuda.set_rng_state(gpu)
        if hasattr(model, '_generator'):
            model._generator = generator
            if generator is not None:
                generator.set_state(generator_state)
