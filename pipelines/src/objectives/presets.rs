//! Conventions of losses, named after the systems that use them.

use meed_operators::{Error, Result};
use serde_json::Value;

use crate::parameters::{Parameter, parse};

/// One system's conventions.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Name of the system.
    pub name: &'static str,
    /// The conventions in words.
    pub meaning: &'static str,
    /// `(objective, parameter, value as JSON)`; the objective `*` is every one that has the parameter.
    pub settings: &'static [(&'static str, &'static str, &'static str)],
}

/// All presets. They say how losses are added up and bounded, not which objective or correction is used.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "verl",
        meaning: "log-ratios clamped at 20, dual clip 3; empty rollouts leave means, 1e-8 in means over tokens",
        settings: &[
            ("*", "clamp_log_ratio", "20"),
            ("*", "rows", "trainable"),
            ("*", "tokens_eps", "1e-8"),
            ("*", "ratio_tokens_eps", "1e-8"),
            ("ppo_clip", "dual_clip", "3"),
            ("cispo", "clip_low", "0.2"),
        ],
    },
    Preset {
        name: "trl",
        meaning: "DAPO's token mean; empty rollouts count; the cap of CISPO is absolute, and there is no floor",
        settings: &[("*", "rows", "all"), ("gspo", "gradient", "through"), ("cispo", "ratio_high", "5")],
    },
    Preset {
        name: "openrlhf",
        meaning: "token mean; empty rollouts leave means over rollouts",
        settings: &[("*", "rows", "trainable"), ("gspo", "gradient", "through")],
    },
    Preset {
        name: "nemo_rl",
        meaning: "empty rollouts count; 1e-8 in every denominator",
        settings: &[
            ("*", "rows", "all"),
            ("*", "tokens_eps", "1e-8"),
            ("*", "rows_eps", "1e-8"),
            ("*", "ratio_tokens_eps", "1e-8"),
            ("gspo", "gradient", "through"),
            ("cispo", "clip_low", "0.2"),
        ],
    },
    Preset {
        name: "skyrl",
        meaning: "empty rollouts count; tokens of advantage 0 are never masked by a trust region",
        settings: &[("*", "rows", "all"), ("*", "zero_advantage", "kept")],
    },
    Preset {
        name: "slime",
        meaning: "mean over rollouts of token means",
        settings: &[("*", "aggregate", "seq_mean_token_mean"), ("gspo", "gradient", "through")],
    },
    Preset {
        name: "roll",
        meaning: "empty rollouts count; 1e-8 in every denominator",
        settings: &[
            ("*", "rows", "all"),
            ("*", "tokens_eps", "1e-8"),
            ("*", "rows_eps", "1e-8"),
            ("*", "ratio_tokens_eps", "1e-8"),
            ("gspo", "gradient", "through"),
        ],
    },
    Preset {
        name: "areal",
        meaning: "token mean; sequence ratios see the mean advantage of the rollout",
        settings: &[
            ("gspo", "aggregate", "token_mean"),
            ("gspo", "advantage", "row_mean"),
            ("gspo", "gradient", "through"),
        ],
    },
    Preset {
        name: "prime_rl",
        meaning: "ratios to the sampling policy, and 1e-3 times the squared log-ratio",
        settings: &[("*", "anchor", "rollout"), ("*", "squared_log_ratio_coef", "1e-3")],
    },
    Preset {
        name: "open_instruct",
        meaning: "token mean; the cap of CISPO has no floor",
        settings: &[("cispo", "clip_low", "null")],
    },
    Preset {
        name: "tinker",
        meaning: "ratios to the sampling policy; sums over tokens",
        settings: &[("*", "anchor", "rollout"), ("*", "aggregate", "token_sum")],
    },
];

/// What a preset sets for an objective with these parameters; nothing where null.
///
/// # Errors
/// A name that is no preset; the hint lists them.
pub fn settings(
    preset: &Value,
    objective: &str,
    declared: &[Parameter],
) -> Result<Vec<(&'static str, Value)>> {
    if preset.is_null() {
        return Ok(Vec::new());
    }
    let wanted = preset.as_str().unwrap_or_default().replace('-', "_");
    let found = PRESETS.iter().find(|known| known.name == wanted).ok_or_else(|| {
        let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        Error::usage(format!("no preset is called {preset}"), format!("presets: {}", names.join(", ")))
    })?;
    let applies = |of: &str, name: &str| {
        (of == "*" || of == objective) && declared.iter().any(|parameter| parameter.name == name)
    };
    Ok(found
        .settings
        .iter()
        .filter(|(of, name, _)| applies(of, name))
        .map(|(_, name, value)| (*name, parse(value)))
        .collect())
}
