//! Credit functions of SQL, one file each, and the one list that documents them.

mod at_version;
mod credit;
mod group_normalize;
mod list_mean;
mod pass_at_k;
mod trainable_tokens;

use std::sync::Arc;

pub use credit::CreditFunction;

use crate::datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use crate::datafusion::prelude::SessionContext;
use crate::sql::Datasets;

/// A function that `meed sql` has beyond those of DataFusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlFunction {
    /// Name.
    pub name: &'static str,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    /// How it is called.
    pub syntax: &'static str,
    /// What it computes, in a sentence or two.
    pub meaning: &'static str,
    /// A query that uses it, on a dataset `gsm8k` of rollouts.
    pub example: &'static str,
}

/// The functions for credit, in the order in which documentation lists them.
pub const FUNCTIONS: &[SqlFunction] = &[
    SqlFunction {
        name: "at",
        kind: "table",
        syntax: "at('<dataset>', <version>)",
        meaning: "The dataset as it was at a version.",
        example: "select count(*) from at('gsm8k', 1)",
    },
    SqlFunction {
        name: "credit",
        kind: "table",
        syntax: "credit('<recipe>', '<dataset>')",
        meaning: "The advantages that a recipe assigns to the rollouts of a dataset, computed when the query runs and stored nowhere.",
        example: "select group_id, in_loss from credit('grpo', 'gsm8k')",
    },
    SqlFunction {
        name: "pass_at_k",
        kind: "aggregate",
        syntax: "pass_at_k(correct, k)",
        meaning: "The chance that at least one of k rollouts is correct, without bias: 1 - C(n-c, k) / C(n, k) for c correct ones of n. Null where n < k. Rollouts with a null take no part.",
        example: "select group_id, pass_at_k(reward > 0, 1) from gsm8k group by group_id",
    },
    SqlFunction {
        name: "group_normalize",
        kind: "window",
        syntax: "group_normalize(reward [, ddof [, eps]]) over (partition by iteration, group_id)",
        meaning: "(reward - mean) / (std + eps) inside the group, with ddof 1 and eps 1e-6 unless given. 0 where the group has one reward or all are equal. A null takes no part and stays null; NaN and infinity are errors.",
        example: "select rollout_id, group_normalize(reward) over (partition by iteration, group_id) from gsm8k",
    },
    SqlFunction {
        name: "list_sum",
        kind: "scalar",
        syntax: "list_sum(list)",
        meaning: "Sum of a list of numbers, in double precision. Nulls are skipped; null where nothing is left.",
        example: "select rollout_id, list_sum(token_rollout_logprobs) from gsm8k",
    },
    SqlFunction {
        name: "list_mean",
        kind: "scalar",
        syntax: "list_mean(list)",
        meaning: "Mean of a list of numbers, in double precision. Nulls are skipped; null where nothing is left.",
        example: "select rollout_id, list_mean(token_entropies) from gsm8k",
    },
    SqlFunction {
        name: "trainable_tokens",
        kind: "scalar",
        syntax: "trainable_tokens(token_mask)",
        meaning: "Number of tokens that the policy produced and may be trained on.",
        example: "select sum(trainable_tokens(token_mask)) from gsm8k",
    },
];

/// Makes the functions known to a session. `list_sum` is DataFusion's own.
pub(crate) fn register(session: &SessionContext, datasets: Arc<Datasets>, credit: Option<CreditFunction>) {
    session.register_udaf(AggregateUDF::from(pass_at_k::PassAtK::new()));
    session.register_udwf(WindowUDF::from(group_normalize::GroupNormalize::new()));
    session.register_udf(ScalarUDF::from(trainable_tokens::TrainableTokens::new()));
    session.register_udf(list_mean::list_mean());
    session.register_udtf("at", Arc::new(at_version::AtVersion::new(datasets)));
    if let Some(credit) = credit {
        session.register_udtf("credit", Arc::new(credit::Credit::new(credit)));
    }
}
