"""What the startup stage does: a first start, a look at its confinement, a stop, and starts under other conditions."""
