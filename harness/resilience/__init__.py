"""What the resilience stage does: starts without a model, a first answer, a drain, a restart, and strain on memory."""
