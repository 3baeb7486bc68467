#!/usr/bin/env bash
# Measures a training pass beside PyTorch; see README.md in this folder.
# usage: benches/train_step.sh [folder for generated files and the peers, by default target/bench]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$here/../target/bench}
mkdir -p "$work/train_step"
work=$(cd "$work" && pwd)
cd "$here/.."

# A ready-made program saves the build: TRAIN_STEP=path/to/train_step; PEERS=path/to/venv likewise.
if [[ -z ${TRAIN_STEP:-} ]]; then
    cargo build --release -p meed-operators --features model --example train_step
    TRAIN_STEP=${CARGO_TARGET_DIR:-target}/release/examples/train_step
fi
if [[ -z ${PEERS:-} ]]; then
    PEERS=$work/training_peers
    [[ -x $PEERS/bin/python ]] || python3 -m venv "$PEERS"
    "$PEERS/bin/python" -m pip install --quiet --disable-pip-version-check torch transformers trl
fi
"$PEERS/bin/python" -m pip list --disable-pip-version-check 2>/dev/null | grep -E '^(torch|transformers) '

"$TRAIN_STEP" write "$work/train_step"
"$PEERS/bin/python" "$here/measure_steps.py" 12288 tokens 0.8 \
    "$TRAIN_STEP" time '{threads}' '{steps}' -- \
    "$PEERS/bin/python" "$here/train_step.py" time "$work/train_step" '{threads}' '{steps}'
