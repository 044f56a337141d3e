"""How the tables came to be, revision by revision; run by `harness serve` and `harness invite` when they start."""
