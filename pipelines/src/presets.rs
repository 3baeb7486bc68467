//! Conventions of group statistics, named after the systems that use them.

use meed_operators::{Error, Result};
use serde_json::Value;

use crate::parameters::parse;

/// One system's conventions.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Name of the system.
    pub name: &'static str,
    /// The conventions in words.
    pub meaning: &'static str,
    /// Parameters that it sets, as JSON.
    pub settings: &'static [(&'static str, &'static str)],
}

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "verl",
        meaning: "sample std + 1e-6; a singleton keeps reward / (1 + eps)",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("ddof", "1"),
            ("eps", "1e-6"),
            ("singleton", "mean0_std1"),
            ("empty_rollouts", "counted"),
        ],
    },
    Preset {
        name: "trl",
        meaning: "sample std + 1e-4; a singleton gets 0",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("ddof", "1"),
            ("eps", "1e-4"),
            ("singleton", "zero"),
        ],
    },
    Preset {
        name: "trl_async",
        meaning: "population std + 1e-8; a singleton gets 0",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("ddof", "0"),
            ("eps", "1e-8"),
            ("singleton", "zero"),
        ],
    },
    Preset {
        name: "openrlhf",
        meaning: "sample std + 1e-9; a singleton has no advantage",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("ddof", "1"),
            ("eps", "1e-9"),
            ("singleton", "error"),
        ],
    },
    Preset {
        name: "nemo_rl",
        meaning: "leave-one-out mean and std + 1e-6, not scaled where the std is 0; a singleton gets 0",
        settings: &[
            ("center", "leave_one_out"),
            ("scale", "leave_one_out_std"),
            ("ddof", "1"),
            ("eps", "1e-6"),
            ("zero_std", "skip"),
            ("singleton", "zero"),
        ],
    },
    Preset {
        name: "skyrl",
        meaning: "sample std + 1e-6; a singleton keeps reward / (1 + eps)",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("ddof", "1"),
            ("eps", "1e-6"),
            ("singleton", "mean0_std1"),
        ],
    },
    Preset {
        name: "rllm",
        meaning: "population std + 1e-6; a singleton keeps reward / (1 + eps)",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("ddof", "0"),
            ("eps", "1e-6"),
            ("singleton", "mean0_std1"),
        ],
    },
    Preset {
        name: "slime",
        meaning: "sample std + 1e-6; a singleton gets 0 (the reference gives NaN)",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("ddof", "1"),
            ("eps", "1e-6"),
            ("singleton", "zero"),
        ],
    },
    Preset {
        name: "roll",
        meaning: "sample std + 1e-6; 0 where the std is at most 1e-6",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("ddof", "1"),
            ("eps", "1e-6"),
            ("zero_std", "zero when std <= 1e-6"),
            ("masked_tokens", "every token discounts; the reward of a masked token is dropped"),
        ],
    },
    Preset {
        name: "areal",
        meaning: "sample std about the subtracted centre + 1e-5; a singleton gets 0",
        settings: &[
            ("center", "group_mean"),
            ("scale", "group_std"),
            ("std_about", "centre"),
            ("ddof", "1"),
            ("eps", "1e-5"),
        ],
    },
    Preset {
        name: "prime_rl",
        meaning: "mean only; a singleton gets 0",
        settings: &[("center", "group_mean"), ("scale", "none"), ("singleton", "zero")],
    },
    Preset {
        name: "open_instruct",
        meaning: "mean only; a singleton gets 0",
        settings: &[("center", "group_mean"), ("scale", "none"), ("singleton", "zero")],
    },
    Preset {
        name: "tinker",
        meaning: "mean only; a singleton gets 0",
        settings: &[("center", "group_mean"), ("scale", "none"), ("singleton", "zero")],
    },
];

/// The settings of a preset, null for none.
///
/// # Errors
/// A name that is no preset; the hint lists them.
pub fn settings(preset: &Value) -> Result<Vec<(&'static str, Value)>> {
    if preset.is_null() {
        return Ok(Vec::new());
    }
    let wanted = preset.as_str().unwrap_or_default().replace('-', "_");
    let found = PRESETS.iter().find(|known| known.name == wanted).ok_or_else(|| {
        let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        Error::usage(format!("no preset is called {preset}"), format!("presets: {}", names.join(", ")))
    })?;
    Ok(found.settings.iter().map(|(name, value)| (*name, parse(value))).collect())
}
