#!/usr/bin/env bash
# Stored rollouts: the example dataset: import it, assign three recipes, compare them with SQL, look at
# where they come from, and assign a fourth.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build

meed() {
    cargo run --quiet -- "$@"
}

meed import parquet examples/rollouts/arithmetic.parquet --to arithmetic
meed assign --recipe grpo,gigpo,tempo --from arithmetic --to arithmetic
meed sql "
    select recipe,
           count(*) filter (where in_loss) as trained_on,
           round(avg(list_sum(token_advantages) / trainable_tokens(token_mask)) filter (where reward = 1), 3) as if_right,
           round(avg(list_sum(token_advantages) / trainable_tokens(token_mask)) filter (where reward = 0), 3) as if_wrong,
           round(avg(array_length(array_distinct(token_advantages))), 1) as values_per_rollout
    from arithmetic join arithmetic_advantages using (iteration, group_id, rollout_id)
    group by recipe
    order by recipe
"
meed compare --recipe grpo,gigpo,tempo --from arithmetic
meed history arithmetic_advantages
meed assign --recipe rloo --from arithmetic --to again --workers 2
