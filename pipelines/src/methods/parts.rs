//! What there is of methods beside recipes: objectives, schedules, optimisers, samplers, metrics, functions.

use serde::Serialize;

use PartKind::{Function, Metric, Objective, Sampling, Schedule, Update};

use crate::recipe::Fidelity::{self, Equations, Reconstructed, Reference};

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// An objective of the policy, or of pairs.
    Objective,
    /// A schedule over training.
    Schedule,
    /// A rule by which weights are changed, whatever the gradient is of.
    Update,
    /// A strategy of sampling.
    Sampling,
    /// A metric.
    Metric,
    /// A function of the library.
    Function,
}

impl PartKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            PartKind::Objective => "objective",
            PartKind::Schedule => "schedule",
            PartKind::Update => "update",
            PartKind::Sampling => "sampling",
            PartKind::Metric => "metric",
            PartKind::Function => "function",
        }
    }
}

/// A piece of a method that is no recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The method.
    #[serde(skip)]
    pub method: &'static str,
    /// What the piece is.
    pub kind: PartKind,
    /// Its name: of an objective as on the command line, else its path in the crate.
    pub name: &'static str,
    /// One line about it; an objective has its own.
    #[serde(skip)]
    pub title: &'static str,
    /// Where it comes from; an objective has its own.
    #[serde(skip)]
    pub citation: &'static str,
    /// How it is known to be the method, where that is the main piece.
    #[serde(skip)]
    pub fidelity: Option<Fidelity>,
    /// What is missing or guessed; an objective has its own.
    #[serde(skip)]
    pub deviations: &'static str,
}

const fn objective(method: &'static str, name: &'static str, fidelity: Fidelity) -> Part {
    part(method, PartKind::Objective, name).known(fidelity, "", "", "")
}

const fn part(method: &'static str, kind: PartKind, name: &'static str) -> Part {
    Part { method, kind, name, title: "", citation: "", fidelity: None, deviations: "" }
}

impl Part {
    /// The main piece of a method.
    const fn known(
        self,
        fidelity: Fidelity,
        title: &'static str,
        citation: &'static str,
        deviations: &'static str,
    ) -> Self {
        Part { fidelity: Some(fidelity), title, citation, deviations, ..self }
    }
}

/// All of them, by method; the first of a method without a recipe is its main piece.
pub const PARTS: &[Part] = &[
    part("ac_flow", Objective, "ac_flow"),
    objective("aft", "aft", Reconstructed),
    part("alignprop", Function, "meed::operators::objectives::denoising::Truncation"),
    part("alignprop", Function, "meed::operators::objectives::denoising::truncated_gradient"),
    part("b2_diffurl", Schedule, "meed::operators::objectives::denoising::trained_last"),
    part("barfi", Update, "meed::operators::update::implicit_gradient"),
    objective("basereward", "basereward", Equations),
    part("branch_grpo", Objective, "branch_grpo"),
    part("branch_grpo", Sampling, "meed::operators::objectives::denoising::branch_noise"),
    part("ca_survey", Metric, "meed::pipelines::metrics::critical_steps").known(
        Reconstructed,
        "how much credit is at critical steps, and with the right sign",
        "From Reasoning to Agentic: Credit Assignment in Reinforcement Learning for Large Language Models; arXiv 2603.06859",
        "a survey: its 47 methods are recipes of their own where a formula is known; the benchmark protocol could not be read and is reconstructed, the reporting checklist is not built",
    ),
    part("c3", Metric, "meed::pipelines::metrics::credit"),
    part("ccrnn", Update, "meed::operators::update::SyntheticGradient").known(
        Equations,
        "a linear prediction of the gradient from after a truncation window",
        "Pemberton et al. 2021, Cortico-cerebellar networks as decoupling neural interfaces, arXiv 2103.11462",
        "one linear layer; recurrent networks that would be unrolled in windows are not part of meed",
    ),
    part("dance_grpo", Objective, "dance_grpo"),
    part("dance_grpo", Sampling, "meed::operators::objectives::denoising::Sampler"),
    part("dense_grpo", Sampling, "meed::operators::objectives::denoising::calibrated"),
    part("euphonium", Objective, "euphonium"),
    part("euphonium", Sampling, "meed::operators::objectives::denoising::Guidance"),
    part("euphonium", Function, "meed::operators::objectives::denoising::probed_gradient"),
    part("euphonium", Function, "meed::operators::objectives::denoising::velocity_divergence"),
    part("fk_steering", Sampling, "meed::operators::objectives::denoising::resampled"),
    part("flow_dpo_rwr_nrg", Objective, "flow_dpo"),
    part("flow_dpo_rwr_nrg", Objective, "rwr"),
    part("flow_dpo_rwr_nrg", Objective, "bradley_terry_ties"),
    part("flow_dpo_rwr_nrg", Sampling, "meed::operators::objectives::denoising::negative_reward_guidance"),
    part("flow_grpo", Objective, "flow_grpo"),
    part("flow_grpo", Sampling, "meed::operators::objectives::denoising::Sampler"),
    part("gcond", Update, "meed::operators::update::Gcond").known(
        Reference,
        "gradients of several losses, projected where they conflict",
        "AlevLab-dev/GCond, Accumulation-based Stabilization for Large-Scale Multi-Task Learning",
        "buffers are 64-bit, where the program's are bf16; accumulating gradients over micro-steps, and sharing those among losses (stochastic mode), is the trainer's",
    ),
    part("galore", Update, "meed::operators::update::Galore").known(
        Reference,
        "Adam on gradients projected to a low rank",
        "Zhao et al. 2024, GaLore, arXiv 2403.03507; jiaweizzhao/GaLore",
        "",
    ),
    objective("gdro", "gdro", Equations),
    part("guide", Sampling, "meed::operators::sample::strategy::Guide"),
    objective("habc", "habc", Equations),
    objective("helpsteer2_steerlm2", "helpsteer2_steerlm2", Equations),
    part("hrm_text", Schedule, "meed::operators::update::GradientDepth").known(
        Equations,
        "through how many recurrent cycles gradients flow, growing over training",
        "HRM-Text: Efficient Pretraining Beyond Scaling; sapientinc/HRM-Text",
        "the recurrent network itself is not part of meed",
    ),
    part("implicit_prm", Objective, "implicit_prm"),
    part("istar", Objective, "istar"),
    part("knapsack_rl", Sampling, "meed::operators::sample::strategy::Knapsack"),
    part("lare", Objective, "lare"),
    part("light_if", Objective, "light_if_sft"),
    part("light_if", Objective, "light_if_tea"),
    part("linear_decay_refined", Schedule, "meed::operators::update::Decay::LinearDecayRefined").known(
        Equations,
        "linear decay refined by the gradient norms of an earlier run",
        "Defazio et al. 2023, When, Why and How Much?, arXiv 2310.07831; facebookresearch/adaptive_scheduling",
        "",
    ),
    objective("minirl", "minirl", Equations),
    objective("mm_rlhf", "mm_rlhf", Reference),
    part("oni", Objective, "bradley_terry"),
    part("pit", Objective, "pit"),
    objective("power_dl", "power_dl", Reconstructed),
    part("prime", Objective, "prime"),
    objective("r_to_q", "r_to_q", Equations),
    part("r3l", Sampling, "meed::operators::sample::strategy::RetryFromPivot"),
    objective("real", "real", Reference),
    part("rewarming", Schedule, "meed::operators::update::Decay::Rewarming").known(
        Reconstructed,
        "a warm-up and a cosine, begun again at every stage of training",
        "Gupta et al. 2023, Continual Pre-Training of Large Language Models, arXiv 2308.04014",
        "from the abstract and known text: lengths of the warm-up and ratios of the rates are settings",
    ),
    part("rewardbench_2", Metric, "meed::pipelines::metrics::rewardbench_2").known(
        Equations,
        "accuracy of a reward model by subset, and its calibration among equal answers",
        "RewardBench 2: Advancing Reward Model Evaluation; allenai/reward-bench",
        "",
    ),
    part("rex", Schedule, "meed::operators::update::Decay::Rex").known(
        Reconstructed,
        "a rate that falls late, over a budget of updates",
        "Chen et al. 2021, REX, arXiv 2107.04197",
        "equal to a re-implementation (d = 0.9) by golden numbers; that d = 1/2 is the authors' is general knowledge, and no program of theirs was at hand",
    ),
    objective("rise", "rise", Reference),
    part("sarm", Objective, "sarm"),
    part("shrink_and_perturb", Update, "meed::operators::update::shrink_and_perturb").known(
        Equations,
        "weights between the old ones and fresh ones, before training on new data",
        "Ash & Adams 2020, On Warm-Starting Neural Network Training, arXiv 1910.08475",
        "",
    ),
    part("slate", Sampling, "meed::operators::sample::strategy::Slate"),
    objective("solireward", "solireward", Equations),
    part("spa_rl", Objective, "spa_rl"),
    objective("specs", "specs", Equations),
    part("srum", Objective, "srum"),
    objective("steporlm", "steporlm", Reconstructed),
    part("sweet_rl", Objective, "sweet_rl"),
    objective("t_reg", "t_reg", Equations),
    part("tempflow_grpo", Objective, "tempflow_grpo"),
    objective("tgdpo", "tgdpo", Reference),
    objective("tsallis", "tsallis", Equations),
    part("turning_point_grpo", Sampling, "meed::operators::objectives::denoising::Sampler"),
    part("wildbench", Metric, "meed::pipelines::metrics::wildbench").known(
        Equations,
        "verdicts against baselines as a reward, and means over tasks",
        "WildBench, arXiv 2406.04770; allenai/WildBench",
        "",
    ),
    part("wsrl", Schedule, "meed::operators::update::WarmStart"),
];
