#!/usr/bin/env bash
# Sets the environment up and runs linter, formatter, type checker and tests.  Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash tools/setup_env.sh
# Two files at a time, one core each: much of a test is on one core alone.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MPLBACKEND=Agg OMP_WAIT_POLICY=PASSIVE
bin=.venv/bin
echo "[tests] ruff"; "$bin/ruff" check .; "$bin/ruff" format --check --quiet . || { "$bin/ruff" format --diff . | head -n 40; exit 1; }
echo "[tests] mypy"; "$bin/mypy"
echo "[tests] pytest"; exec "$bin/python" -m pytest -n 2 --dist loadfile "$@"
