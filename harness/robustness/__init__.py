"""Requests that a service must survive: malformed ones, slow and concurrent ones, and a fuzzer's."""
