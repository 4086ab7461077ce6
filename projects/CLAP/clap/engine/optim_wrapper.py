"""An optimiser step that somebody may look at before it happens."""

from __future__ import annotations

from typing import Any, Callable, Optional

from mmdet3d.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper


@OPTIM_WRAPPERS.register_module()
class CheckedOptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper``; ``before_step`` is called before gradients are clipped and used."""

    before_step: Optional[Callable[[], None]] = None

    def step(self, **kwargs: Any) -> None:
        """Look, then clip and update."""
        if self.before_step is not None:
            self.before_step()
        super().step(**kwargs)
