"""What every method declares (stages, figures, pictures), and its random draws: of driving frames or single objects."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Callable, ClassVar, ContextManager, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.dist import get_dist_info

from .declaration import Declaration
from .pictures import Picture, Points


class Method:
    """Mixin of an ``nn.Module``: stages, figures, pictures and random draws of a method.

    A method of driving frames inherits :class:`Pretrainer`, which has this and the encoders.
    """

    #: Stages of a step that a benchmark times; the method brackets each: ``with self.stage('encode'): ...``.
    stages: ClassVar[Tuple[str, ...]] = ('encode',)
    #: Figures of a step that are worth their place on the console, besides the losses.
    console_figures: ClassVar[Tuple[str, ...]] = ()
    #: Where ``predict`` leaves its figures in a sample, for the metric that takes them.
    evaluated: ClassVar[str] = 'figures'
    #: Pictures that :meth:`pictures` can draw: name (part of a file name) -> title.
    picture_titles: ClassVar[Dict[str, str]] = {}
    #: Those of them that a run in training does not draw unless it is told to.
    pictures_on_request: ClassVar[Tuple[str, ...]] = ()

    warming_up = False  # SamplingWarmupHook decides
    measures_readiness = False  # in the next step; SamplingWarmupHook decides
    step_counts: Dict[str, int] = {}  # what the last step worked on, e.g. rays; told per second. A step sets a new one
    on_stage: Optional[Callable[[str], ContextManager]] = None  # a benchmark's clock
    _generator: Optional[torch.Generator] = None

    @classmethod
    def title(cls, options: Dict[str, Any]) -> str:
        """What the method with these options (the model's configuration) is called, for people."""
        return cls.__name__

    def facts(self) -> Dict[str, float]:
        """Numbers of the model, before training, that its figures are judged by."""
        return {}

    @classmethod
    def declare(cls, facts: Dict[str, float]) -> Declaration:
        """Rules and charts of the method's figures; ``facts`` are those of the run, {} if they are not known."""
        return Declaration()

    @property
    def phases(self) -> Tuple[str, str]:
        """What is done in the warm-up, and after it; the same for a method that has none."""
        return '', ''

    def phase_figures(self) -> Dict[str, float]:
        """Figures of a log line that tell the phase, see ``warming_up``."""
        return {}

    @property
    def readiness(self) -> str:
        """Figure that tells whether the warm-up may end, in [-1, 1]; ``loss`` returns it if ``measures_readiness``.

        Empty for a method that has no such figure.
        """
        return ''

    @classmethod
    def variants(cls, options: dict, names: Sequence[str]) -> Dict[str, dict]:
        """Kinds of the method's exchangeable part that a benchmark compares: name -> configuration of the part.

        Args:
            options: the model's configuration.
            names: registered names that were asked for; a method without such a part has one nameless kind.
        """
        return {cls.__name__: {}}

    def use_variant(self, config: dict) -> None:
        """Exchange the part by one of :meth:`variants`."""

    def pictures(self, batch: dict, names: Sequence[str], **options: Any) -> Dict[str, Picture]:
        """Pictures of the first sample of a batch, those of ``picture_titles`` that are named."""
        return {}

    def clouds(self, batch: dict) -> Dict[str, Points]:
        """Clouds of the first sample of a batch, for the 3-D viewer."""
        return {}

    def stage(self, name: str) -> ContextManager:
        """Brackets a stage of the step, for whoever times it."""
        return nullcontext() if self.on_stage is None else self.on_stage(name)

    # ---------------------------------------------------------------- randomness

    def set_step_seed(self, seed: int) -> None:
        """Seed everything this model draws until the next call (masks, rays, jitter).

        :class:`StepSeedHook` calls it before every iteration with a number made
        of the run's seed and the iteration, the same on all ranks. So no random
        state needs saving for an exact resume.
        """
        device = next(self.parameters()).device
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        self._generator.manual_seed(seed)

    @property
    def generator(self) -> torch.Generator:
        """Source of all draws of this model."""
        if self._generator is None:
            self.set_step_seed(int(torch.randint(2**62, ()).item()))
        return self._generator

    def sample_generators(self, num: int) -> List[torch.Generator]:
        """One source of draws for each of this rank's samples, keyed by the sample's place in the global batch.

        Samples of W ranks are dealt out in turn (rank 0, 1, ..., W - 1, 0, ...),
        so W ranks draw what one process draws for the same batch, and no two
        ranks draw the same rays.
        """
        rank, world_size = get_dist_info()
        base = int(torch.randint(2**62, (), generator=self.generator, device=self.generator.device))
        places = [index * world_size + rank for index in range(num)]
        return [
            torch.Generator(self.generator.device).manual_seed((base + 0x9E3779B97F4A7C15 * place) % 2**62)
            for place in places
        ]

    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> List:
        """The samples as they came: a method that has nothing to measure."""
        return batch_data_samples
