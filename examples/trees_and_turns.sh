#!/usr/bin/env bash
# Search trees and turns: four published logs, each imported and assigned credit in one command a step, and what came of it.
set -euo pipefail
cd "$(dirname "$0")/.."

# The recipes that run on each, and their settings.
thoughts=(--recipe tempo,treerl,treerpo,treeps_rag,carl,salt,a3)
tools=(--recipe tempo,treerl,treerpo,treeps_rag,carl,salt)
airline=(--recipe matchtir,gigpo,salt,step_reinforce)
# The grade of a turn stands in for a judge's score of it, and a command that ran for a grounded one; there is no critic.
turns=(--recipe gigpo,step_reinforce,salt,matchtir,score_two_attempt,tarl,spa_rl
    --set matchtir.assignment=given --set tarl.turn_scores=turn_rewards
    --set spa_rl.variant=release --set spa_rl.step_grounded=step_action_valid --set spa_rl.values=none)

# Where the logs lie; docs/importers.md says what writes them.
data=${1:-../shared/data}
if [ ! -e "$data/tot_game24_tree.json" ]; then
    echo "skipped: the logs are not in $data; name the folder that has them: examples/trees_and_turns.sh <folder>" >&2
    exit 0
fi
cargo build

meed() {
    cargo run --quiet -- "$@"
}

# A path of the search is a rollout. What it proposed and dropped is in the table of nodes.
meed import tot "$data/tot_game24_tree.json" --to game24
meed assign "${thoughts[@]}" --from game24 --to game24_credit

# A path of the depth-first search is a rollout; observations and pruned nodes are in the table of nodes.
meed import toolbench "$data/toolbench_trees/*.json" --to toolbench
meed assign "${tools[@]}" --from toolbench --to toolbench_credit

# Four trials of a task are a group; equal states are those in which the agent has seen the same.
meed import tau-bench "$data/tau_bench_airline_gpt4o.json" --to airline
meed assign "${airline[@]}" --from airline --to airline_credit

# Two models on the same task are a group; every turn has a grade.
meed import intercode "$data/intercode_sql_gpt4.json" "$data/intercode_sql_gpt35.json" --to intercode
meed assign "${turns[@]}" --from intercode --to intercode_credit

meed sql "
    select kind, depth, count(*) as nodes, round(avg(value), 2) as judged, sum(visits) as paths, sum(reward) as solved
    from game24_nodes
    group by kind, depth
    order by depth, kind
"
meed sql "
    select kind, count(*) as nodes, max(depth) as deepest, count(reward) as ends, sum(reward) as answers
    from toolbench_nodes
    group by kind
    order by kind
"
meed sql "
    select recipe,
           count(*) filter (where in_loss) as trained_on,
           round(avg(list_sum(token_advantages) / trainable_tokens(token_mask)) filter (where model = 'gpt4'), 3) as gpt4,
           round(avg(list_sum(token_advantages) / trainable_tokens(token_mask)) filter (where model = 'gpt35'), 3) as gpt35
    from intercode join intercode_credit_advantages using (iteration, group_id, rollout_id)
    group by recipe
    order by recipe
"
