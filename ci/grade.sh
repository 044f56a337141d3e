#!/usr/bin/env bash
# Grades one pushed commit in CI: what action.yml and ci/gitlab.yml have in common. It reads its environment only:
#
#   GRADE_PYTHON      the Python of the harness's environment (.venv/bin/python)
#   GRADE_URL         address of the candidate's repository
#   GRADE_SHA         the commit, all digits
#   GRADE_CHALLENGE   id of the challenge
#   GRADE_OUT         new or empty folder for reports and evidence
#   GRADE_PROFILE     review (the default; wants GRADE_KEY) or public
#   GRADE_FAIL_UNDER  points below which the exit code is 1
#   GRADE_KEY         the reviewer's key: the hidden inputs come from it
#   GRADE_TOKEN       reads the repository: TOKEN, or USER:TOKEN
#   GRADE_PROTOCOL    what GRADE_URL may be (https)
#   GRADE_COMMAND     what grades (python -m harness grade)
#
# Exit codes are those of `harness grade`: 0 graded, 1 below GRADE_FAIL_UNDER, 2 nothing ran, 3 void.
# Nothing of the candidate's is run here: their commit is data in a folder, and the harness runs it in its sandbox.
set -euo pipefail

fail() {
  echo "error: $1" >&2
  summary "**Not graded.** $1"
  exit 2
}

summary() {
  [ -z "${GITHUB_STEP_SUMMARY:-}" ] || printf '%s\n' "$1" >>"$GITHUB_STEP_SUMMARY"
}

for name in GRADE_PYTHON GRADE_URL GRADE_SHA GRADE_CHALLENGE GRADE_OUT; do
  [ -n "${!name:-}" ] || fail "$name is not set."
done
profile=${GRADE_PROFILE:-review}
[ "$profile" = public ] || [ -n "${GRADE_KEY:-}" ] ||
  fail "A review wants the reviewer's key (GRADE_KEY): with a new one for each run, no two grades could be compared."
mkdir -p "$GRADE_OUT"
out=$(cd "$GRADE_OUT" && pwd)
[ -z "$(ls -A "$out")" ] || fail "$out is not empty: what lies there would be taken for this commit's."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" # empty, so that no program finds a file of somebody else's beside it
if [ -n "${GRADE_KEY:-}" ]; then
  (umask 077 && printf '%s\n' "$GRADE_KEY" >"$work/key")
  export HARNESS_KEY_FILE="$work/key"
fi
unset GRADE_KEY

# What a submission says ends up in our log, where a runner of GitHub would take lines like ::add-mask:: for its own.
if [ -n "${GITHUB_ACTIONS:-}" ]; then
  pause=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$pause"
  trap 'echo "::$pause::"; rm -rf "$work"' EXIT
fi

submission=$work/${GRADE_SHA:0:12}
"$GRADE_PYTHON" -P -m harness hook fetch "$GRADE_URL" "$GRADE_SHA" "$submission" \
  --protocol "${GRADE_PROTOCOL:-https}" --token-env GRADE_TOKEN >"$out/digest.txt" ||
  fail "The commit ${GRADE_SHA:0:12} could not be fetched; the log says why."
unset GRADE_TOKEN

command=("$GRADE_PYTHON" -P -m harness grade)
[ -z "${GRADE_COMMAND:-}" ] || read -r -a command <<<"$GRADE_COMMAND"
options=(--challenge "$GRADE_CHALLENGE" --profile "$profile" --runs "$out/runs" --json)
[ -z "${GRADE_FAIL_UNDER:-}" ] || options+=(--fail-under "$GRADE_FAIL_UNDER")
code=0
"${command[@]}" "$submission" "${options[@]}" >"$out/report.json" || code=$?

shopt -s nullglob
for run in "$out"/runs/*/; do
  for report in "$run"report.{md,html,junit.xml}; do
    [ ! -f "$report" ] || cp "$report" "$out/"
  done
done
if [ -f "$out/report.md" ]; then
  # A step summary may have 1 MiB; the whole report is among the artifacts.
  summary "$(head -c 900000 "$out/report.md")"
else
  summary "**Not graded** (exit code $code); the log says why."
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  "$GRADE_PYTHON" -P - "$code" "$out/report.json" >>"$GITHUB_OUTPUT" <<'PYTHON'
import json, pathlib, sys

code, text = sys.argv[1], pathlib.Path(sys.argv[2]).read_text("utf-8")
report = json.loads(text) if text.strip() else {}
print(f"exit-code={code}")
for name, key in (("points", "points"), ("decided-points", "decided_points"), ("void", "void")):
    print(f"{name}={json.dumps(report[key]) if key in report else ''}")
PYTHON
fi
exit "$code"
