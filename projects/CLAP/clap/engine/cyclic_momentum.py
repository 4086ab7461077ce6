"""beta1 that falls and rises once over a run, whatever its length."""

from __future__ import annotations

import math
from typing import Any, List

from mmdet3d.registry import PARAM_SCHEDULERS
from mmengine.optim import CosineAnnealingMomentum

from ..errors import ConfigError


@PARAM_SCHEDULERS.register_module()
class CyclicMomentum(CosineAnnealingMomentum):
    """From the optimiser's own value to ``eta_min`` and back, half a cosine each (OpenPCDet's MOMS and PCT_START).

    Args:
        turn: share of the run after which it turns, in (0, 1).
        args, kwargs: of ``CosineAnnealingMomentum``; without ``end`` it takes the whole run.
    """

    def __init__(self, *args: Any, turn: float = 0.4, **kwargs: Any) -> None:
        if not 0 < turn < 1:
            raise ConfigError(f'turn must be a share of the run between 0 and 1, got {turn!r}')
        self.turn = turn
        super().__init__(*args, **kwargs)

    def _get_value(self) -> List[float]:
        done = min(self.last_step / self.T_max, 1.0)
        angle = done / self.turn if done < self.turn else 1 + (done - self.turn) / (1 - self.turn)
        return [self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * angle)) / 2 for base in self.base_values]
