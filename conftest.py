"""Leaves out the modules whose optional package is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["imagequality/torch.py"]
