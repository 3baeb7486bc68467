//! Questions to ask of what a training run has written.

use meed_catalog::table_name;
use meed_operators::columns::Table;

/// Three queries over the tables of a dataset, each with what it answers.
pub(super) fn queries(dataset: &str) -> Vec<(&'static str, String)> {
    let table = |table| table_name(dataset, table);
    let (updates, advantages, scores) =
        (table(Table::Updates), table(Table::Advantages), table(Table::Scores));
    vec![
        (
            "How did training go?",
            format!(
                "select iteration / 10 * 10 as from_iteration, round(avg(reward_mean), 3) as reward, \
                 round(avg(entropy), 3) as entropy, round(avg(zero_variance_groups), 1) as zero_variance_groups \
                 from {updates} group by 1 order by 1"
            ),
        ),
        (
            "Which prompts were hardest at the end, and what was answered?",
            format!(
                "select prompt, reference, round(avg(reward), 2) as pass_rate, min(response) as an_answer \
                 from {dataset} where iteration >= (select max(iteration) - 5 from {dataset}) \
                 group by iteration, group_id, prompt, reference order by pass_rate, prompt limit 8"
            ),
        ),
        (
            "What did the judge say, and what credit came of it?",
            format!(
                "select s.judge, s.status, s.score, count(*) as rollouts, \
                 round(avg(list_mean(a.token_advantages)), 3) as mean_advantage \
                 from {scores} s join {advantages} a using (iteration, group_id, rollout_id) \
                 group by 1, 2, 3 order by 1, 2, 3"
            ),
        ),
    ]
}
