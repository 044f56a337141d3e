"""Whether a challenge can tell good work from bad: what became of submissions whose faults are known beforehand."""
