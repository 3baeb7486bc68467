#!/usr/bin/env bash
# Measures a step of GRPO beside TRL; see README.md in this folder.
# usage: benches/grpo_step.sh [folder for generated files and the peers, by default target/bench]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$here/../target/bench}
mkdir -p "$work/grpo_step"
work=$(cd "$work" && pwd)
cd "$here/.."

# A ready-made program saves the build: GRPO_STEP=path/to/grpo_step; PEERS=path/to/venv likewise.
if [[ -z ${GRPO_STEP:-} ]]; then
    cargo build --release -p meed-operators --features model --example grpo_step
    GRPO_STEP=${CARGO_TARGET_DIR:-target}/release/examples/grpo_step
fi
if [[ -z ${PEERS:-} ]]; then
    PEERS=$work/training_peers
    [[ -x $PEERS/bin/python ]] || python3 -m venv "$PEERS"
    "$PEERS/bin/python" -m pip install --quiet --disable-pip-version-check torch transformers trl
fi
"$PEERS/bin/python" -m pip list --disable-pip-version-check 2>/dev/null | grep -E '^(torch|transformers|trl) '

"$GRPO_STEP" write "$work/grpo_step"
"$PEERS/bin/python" "$here/measure_steps.py" 1 steps 1.5 \
    "$GRPO_STEP" time '{threads}' '{steps}' -- \
    "$PEERS/bin/python" "$here/grpo_step.py" time "$work/grpo_step" '{threads}' '{steps}'
