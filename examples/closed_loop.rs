//! The closed loop, put together by hand: a small network learns to add digits, and its rollouts can be queried.
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use meed::closed_loop::*;
use meed::prelude::*;

fn main() -> Result<()> {
    let task = find_task("arithmetic")?;
    let problems = Problems::new(task, 2, 7)?;
    let weights = Weights::new(&ModelConfig::named("tiny", 97)?, RandomKey::new(7, 0, "weights", ""))?;
    let optimizer = Box::new(AdamW::new(AdamWOptions::default()));
    let mut learner = LocalLearner::new(weights, optimizer, LearnerOptions::default())?;
    let solutions: Vec<_> = (0..2048).map(|index| problems.warm_up(index)).collect::<Result<_>>()?;
    let supervised = WarmUp { steps: 400, batch: 64, learning_rate: 3e-3, seed: 7 };

    let sampler = Sampler::new(Arc::new(Characters), 8, task.limits(2).max_tokens);
    warm_up(&mut learner, &sampler, &solutions, &supervised)?;
    let judges = Judges::new(vec![Arc::new(TaskJudge::outcome(task))])?.reward("outcome")?;
    let objective = find_objective("ppo_clip")?.with(&[("clip_high".into(), 0.28.into())])?;
    let catalog = Catalog::open("memory://closed-loop")?;
    let tables =
        training_tables(&catalog, "sums", &Lineage { run: "first".into(), ..Lineage::default() }, &[])?;

    let grpo = RecipeSettings::from(&recipe("grpo")?);
    Training::new(Box::new(learner), sampler, judges, grpo, Arc::from(objective))
        .prompts(move |epoch| (16 * epoch..16 * (epoch + 1)).map(|index| problems.training(index)).collect())
        .epochs(40)
        .staleness(1)
        .schedule(Schedule::constant(3e-4))
        .run(tables, &RunOptions::workers(2))?;

    let query =
        "select iteration / 10 * 10 as iterations, avg(reward) as pass_rate from sums group by 1 order by 1";
    for rows in catalog.sql(query, &sql_options(&catalog))? {
        println!("{}", meed::catalog::arrow::util::pretty::pretty_format_batches(&[rows])?);
    }
    Ok(())
}
