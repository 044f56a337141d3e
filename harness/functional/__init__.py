"""How functional tests run: what they are told, and the pytest plugin that runs them and records their outcomes."""
