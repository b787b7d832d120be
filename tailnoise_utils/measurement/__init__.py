"""Measure the gradient noise of any model in one call."""

from .one_call import NothingAlive, measure, measure_rows
from .recorder import Recorder
from .report import Group, Report
