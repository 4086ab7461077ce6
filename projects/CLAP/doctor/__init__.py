"""What ``tools/doctor.py`` asks. Beside the package, not in it: it must work where the package cannot be imported.

Modules import torch, mmdet3d and the project inside their functions only.
"""

from .findings import FAIL, OK, WARN, Finding

__all__ = ['FAIL', 'OK', 'WARN', 'Finding']
