"""Many runs that are compared: which, what each one gave, and what that says."""

from .plan import Arm, Plan, PlanError
from .plan_file import read_plan

__all__ = ['Arm', 'Plan', 'PlanError', 'read_plan']
