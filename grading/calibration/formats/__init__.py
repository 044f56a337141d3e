"""Shows a calibration. One public module here is one format: `SUFFIX` and `render(calibration) -> str`, pure."""
