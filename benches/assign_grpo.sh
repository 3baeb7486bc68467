#!/usr/bin/env bash
# Measures `meed assign --recipe grpo` beside Polars and DuckDB; see README.md in this folder.
# usage: benches/assign_grpo.sh [folder for generated files and the peers, by default target/bench]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$here/../target/bench}
mkdir -p "$work"
work=$(cd "$work" && pwd)
cd "$here/.."

# A ready-made program saves the build: MEED=path/to/meed GENERATE=path/to/generate_benchmark.
if [[ -z ${MEED:-} || -z ${GENERATE:-} ]]; then
    cargo build --release -p meed --bin meed --example generate_benchmark
    target=${CARGO_TARGET_DIR:-target}/release
    MEED=${MEED:-$target/meed}
    GENERATE=${GENERATE:-$target/examples/generate_benchmark}
fi
# Written under another name first, so that an interrupted run leaves no half file behind.
generate() {
    [[ -f $2 ]] || { "$GENERATE" "$1" "$2.part" && mv "$2.part" "$2"; }
}
generate 8192 "$work/rollouts.parquet"
generate 81920 "$work/rollouts_x10.parquet"
if [[ ! -x $work/peers/bin/python ]]; then
    python3 -m venv "$work/peers"
fi
"$work/peers/bin/python" -m pip install --quiet --disable-pip-version-check polars duckdb
"$work/peers/bin/python" -m pip list --disable-pip-version-check 2>/dev/null | grep -E '^(polars|duckdb) '

"$work/peers/bin/python" "$here/measure.py" "$work" \
    "$work/rollouts.parquet" "$work/rollouts_x10.parquet" \
    "$MEED" --quiet --catalog "$work/catalog" \
    assign --recipe grpo --from '{input}' --to '{output}' --workers '{threads}'
