"""Measure the gradient noise of any model in one call."""

from .one_call import NothingAlive, measure
from .report import Group, Report
