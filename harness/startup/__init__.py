"""What the startup stage does: a first start, a look at its confinement, and starts under other conditions."""
