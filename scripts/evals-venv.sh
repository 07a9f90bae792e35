#!/usr/bin/env bash
# Makes the Python that reads exports back (test/evals), and prints its path: export COUNTERSIGN_PYTHON=$(bash scripts/evals-venv.sh)
# The folder is .cache/evals-venv in the repository, or the one named. What is there already and still fits is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-.cache/evals-venv}
wanted=test/evals/requirements.txt
bare=test/evals/requirements-bare.txt
done_mark=$venv/.requirements

# A run that broke off leaves no mark, and an upgrade of Python leaves an interpreter that does not start.
if ! cat "$wanted" "$bare" | cmp -s - "$done_mark" || ! "$venv/bin/python" -c '' 2>/dev/null; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" >&2
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$bare" >&2
  cat "$wanted" "$bare" >"$done_mark"
fi
echo "$(cd "$venv" && pwd)/bin/python"
