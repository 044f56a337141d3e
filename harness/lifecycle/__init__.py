"""A rollout: a registry beside the service, traffic, and what its answers say about the version behind them."""
