"""Turns evidence into a report. Pure: no input or output, no clock, no engine, and nothing of `harness`."""
