//! prime-rl's mixture: reinforcement, likelihood and distillation on tokens of their own.

use meed_operators::Result;
use meed_operators::objectives::surrogate::negative_log_likelihood;
use meed_operators::objectives::{
    Advantages, Columns, Loss, Movement, Objective, PolicyObjective, Region, Selected, Selection, Sum,
    TokenFactor, TrustRegion,
};

use super::dppo_tv::{TRUST_REGION, trust_region};
use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy, ratio};
use crate::parameters::Parameters;

/// `mean over rl tokens of dppo_tv + mean over ce tokens of -w log pi + mean over kl tokens of the reverse divergence`.
pub const TOKEN_COMPONENTS: NamedObjective = NamedObjective {
    name: "token_components",
    title: "three losses, each on the tokens that have a weight for it",
    citation: "prime-rl",
    formula: "mean over rl tokens of dppo_tv + mean over ce tokens of -w log pi + mean over kl tokens of the reverse divergence",
    parameters: &[TRUST_REGION, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build,
};

/// Each component runs on the tokens whose weight (`token_rl_weights`, `token_ce_weights`,
/// `token_ref_kl_weights`) is not 0 and is divided by their number; a weight that the batch lacks leaves
/// its component out, and reinforcement then runs on the whole mask.
struct TokenComponents {
    rl: Box<dyn Objective>,
    weighted_rl: Selected,
    ce: Selected,
    ref_kl: Selected,
}

impl Objective for TokenComponents {
    fn name(&self) -> &str {
        "token_components"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        let has = |name: &str| columns.signals.contains_key(name);
        let rl: &dyn Objective = if has("token_rl_weights") { &self.weighted_rl } else { self.rl.as_ref() };
        let mut terms: Vec<&dyn Objective> = vec![rl];
        if has("token_ce_weights") {
            terms.push(&self.ce);
        }
        if has("token_ref_kl_weights") {
            terms.push(&self.ref_kl);
        }
        Sum::of(terms.into_iter().map(|term| (1.0, term)), columns)
    }
}

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let weighted = |mut objective: PolicyObjective, signal: &str, any: bool| {
        objective.weightings.push(Box::new(TokenFactor(signal.to_owned())));
        let selection =
            if any { Selection::AnySignal(signal.to_owned()) } else { Selection::Signal(signal.to_owned()) };
        Selected { selection, objective: Box::new(objective) }
    };
    let mut ce = PolicyObjective::boxed("cross_entropy", negative_log_likelihood());
    ce.advantages = Advantages::Absent;
    let region =
        Region::Directed { low: parameters.number("delta_low")?, high: f64::INFINITY, zero_kept: false };
    let surrogate = TrustRegion {
        anchor: ratio(parameters)?.anchor,
        squared_log_ratio: parameters.number("squared_log_ratio_coef")?,
        reverse_kl: true,
        ..TrustRegion::new(Movement::TotalVariation, region)
    };
    let mut ref_kl = policy("reverse_kl", parameters, surrogate)?;
    ref_kl.advantages = Advantages::Absent;
    // The reinforcement part has them: a term counts once.
    ref_kl.terms.clear();
    Ok(Box::new(TokenComponents {
        rl: Box::new(trust_region("dppo_tv", Movement::TotalVariation, parameters)?),
        weighted_rl: weighted(
            trust_region("dppo_tv", Movement::TotalVariation, parameters)?,
            "token_rl_weights",
            false,
        ),
        ce: weighted(ce, "token_ce_weights", true),
        ref_kl: weighted(ref_kl, "token_ref_kl_weights", false),
    }))
}
