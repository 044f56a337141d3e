"""Runs a submission and records what happened."""

__version__ = "0.1.0"
