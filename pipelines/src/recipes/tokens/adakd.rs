//! AdaKD: distillation on the tokens at which student and teacher differ most, each with its own temperature.

use meed_operators::credit::{Credit, Expr, Statistic, aggregate, batch, members, rank, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::divergence::policy_logprobs;
use crate::parts::steps::indicator;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "token_teacher_distances",
    Of::Share,
    "Hellinger distance of the student's and the teacher's distribution at the token",
    "a forward pass of both models over the rollout",
)];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "ratio",
        "0.5",
        "share of the batch's tokens that are trained on; TokenFocus moves it by the loss",
    ),
    parameter("temperature", "1.0", "temperature of a token of median difficulty"),
    parameter("scale", "0.5", "how far temperatures move with difficulty"),
];

/// AdaKD: the `ratio` of tokens with the greatest distance `s` have weight 1, the others 0, and
/// `token_temperatures = T exp(-scale tanh(ln(s / median)))` with the median of the chosen: low where it is hard.
///
/// The advantage is that of on-policy distillation, the teacher's log-probability less the student's; a loss over
/// distributions reads the temperatures. [`TokenFocus`] moves the ratio from iteration to iteration.
pub const ADAKD: Recipe = Recipe {
    name: "adakd",
    title: "distillation on the hardest tokens, with temperatures by inverse difficulty",
    citation: "Xie et al. 2025, LLM-Oriented Token-Adaptive Knowledge Distillation, arXiv 2510.11615; SassyRong/AdaKD",
    family: "tokens",
    objective: ("importance_sampling", &[]),
    formula: "w = [rank(s) < ratio n]; T_t = T exp(-scale tanh(ln(s / median(s))))",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract and from reading the released program, which was not run; guessed: the share at the start, that tokens compete in the batch, and the advantage, as the paper distils whole distributions",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let score = || signal("token_teacher_distances");
        let kept = (members(score(), batch()) * parameters.number("ratio")?).floor().max(1.0);
        let chosen = rank(score(), batch(), false).less(kept);
        let of_chosen = score().null_if(signal("token_focused").negated());
        let median = || aggregate(Statistic::MedianLower, of_chosen.clone(), batch());
        let relative: Expr = when(median().equals(0.0), 1.0, (score() / median()).max(1e-8));
        let cooled = (-parameters.number("scale")? * relative.ln().tanh()).exp();
        Ok(Credit::new()
            .define("token_focused", chosen)
            .define("token_temperatures", parameters.number("temperature")? * cooled)
            .weights(indicator(signal("token_focused")))
            .advantage(signal("token_teacher_logprobs") - policy_logprobs())
            .into())
    },
    ..ADVANTAGE
};

/// The share of tokens that distillation focuses on, moved by the running mean of the loss: a loss that fell by more
/// than `tolerance` narrows it, one that rose widens it.
///
/// ```
/// use meed_pipelines::TokenFocus;
/// let mut focus = TokenFocus { ratio: 0.5, step: 0.1, tolerance: 0.1, anchor: None };
/// focus.observe(1.0);
/// focus.observe(0.95);
/// assert_eq!(focus.ratio, 0.5);
/// focus.observe(0.8);
/// assert!((focus.ratio - 0.45).abs() < 1e-12);
/// focus.observe(1.0);
/// assert!((focus.ratio - 0.495).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenFocus {
    /// The share, from 0.1 to 1.
    pub ratio: f64,
    /// By what share of itself it moves.
    pub step: f64,
    /// What share of the anchor a loss may move without effect.
    pub tolerance: f64,
    /// The loss that new ones are compared with; that of the last move.
    pub anchor: Option<f64>,
}

impl TokenFocus {
    /// Takes in the running mean of the loss.
    pub fn observe(&mut self, loss: f64) {
        let Some(anchor) = self.anchor else {
            self.anchor = Some(loss);
            return;
        };
        let moved = match anchor - loss {
            fell if fell > self.tolerance * anchor => self.ratio * (1.0 - self.step),
            fell if fell < -self.tolerance * anchor => self.ratio * (1.0 + self.step),
            _ => return,
        };
        self.ratio = moved.clamp(0.1, 1.0);
        self.anchor = Some(loss);
    }
}
