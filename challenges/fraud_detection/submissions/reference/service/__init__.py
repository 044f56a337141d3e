"""Serves the fraud model over HTTP and watches its inputs for drift."""
