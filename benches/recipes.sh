#!/usr/bin/env bash
# Measures every recipe, or those named, in tokens per second beside grpo; see README.md in this folder.
# usage: benches/recipes.sh [recipe...]
set -euo pipefail
cd "$(dirname "$0")/.."
# A ready-made program saves the build: BENCH_RECIPES=path/to/bench_recipes.
if [[ -z ${BENCH_RECIPES:-} ]]; then
    cargo build --release -p meed-connectors --example bench_recipes
    BENCH_RECIPES=${CARGO_TARGET_DIR:-target}/release/examples/bench_recipes
fi
work=${WORK:-target/bench}
mkdir -p "$work"
"$BENCH_RECIPES" "${ROLLOUTS:-8192}" "$work" "$@"
