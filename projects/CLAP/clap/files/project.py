"""Where the checkout lies."""

from pathlib import Path

#: Root of the checkout: ``tools/``, ``configs/`` and ``projects/`` lie in it.
ROOT = Path(__file__).resolve().parents[4]
