"""What ``tools/doctor.py`` asks. Beside the package, not in it: it must work where the package cannot be imported.

Modules import torch, mmdet3d and the project inside their functions only.
"""

from .findings import BAD, GOOD, WATCH, Finding

__all__ = ['BAD', 'GOOD', 'WATCH', 'Finding']
