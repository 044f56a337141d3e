"""Grades submissions whose faults are known beforehand, to learn whether a challenge can tell good from bad."""
