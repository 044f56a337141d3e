"""A patch for the small challenge of `conftest.home`, and what is made of it."""

from __future__ import annotations

from harness import challenge as challenges
from harness.calibration import known as known_submissions
from harness.calibration.making import make
from harness.submission import export

HEADERS = "Fault: Says dead\nBase: reference\nLoses: pinned\nSource: Contract\n"
DIFF = """\
diff --git a/app.py b/app.py
--- a/app.py
+++ b/app.py
@@ -1,2 +1,2 @@
 import this
-alive = True
+alive = False
"""


def made(home, name, into):
    known = known_submissions.read(challenges.load(home))
    folder = make(known, name, into)
    return {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts}


def tracked(folder, into):
    files = export(folder, into).files
    return {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()}
