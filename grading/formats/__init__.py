"""Shows a report. One public module here is one format: `SUFFIX` and `render(report) -> str`, pure and deterministic.

No format computes a figure: every number shown is one that the report holds. Strings that come from evidence are a
stranger's; each format makes them harmless in its own syntax, after `_text.clean` has made them visible.
"""
