//! Parameters as they are printed: with their values, and the groups of them that recipes share.

use crate::parameters::{Parameter, Parameters, parse};
use crate::parts::{divergence, group, norm, returns, reward, whitening};
use crate::recipe::Recipe;

use super::Setting;

/// Parameters that several recipes share.
#[derive(Debug, Clone, Copy)]
pub struct ParameterGroup {
    /// Its name.
    pub name: &'static str,
    /// What they decide.
    pub meaning: &'static str,
    /// The parameters.
    pub parameters: &'static [Parameter],
}

/// The groups of parameters that recipes share.
pub const PARAMETER_GROUPS: &[ParameterGroup] = &[
    ParameterGroup { name: "preset", meaning: "the conventions of a system", parameters: norm::PRESET },
    ParameterGroup {
        name: "normalisation",
        meaning: "what is subtracted from a reward and what it is divided by",
        parameters: norm::NORM,
    },
    ParameterGroup {
        name: "group advantage",
        meaning: "the few choices that a group-relative advantage leaves",
        parameters: group::GROUP,
    },
    ParameterGroup {
        name: "reward",
        meaning: "what the reward is made of, and which rollouts count",
        parameters: reward::REWARD,
    },
    ParameterGroup {
        name: "divergence",
        meaning: "a penalty on the divergence from a reference policy",
        parameters: divergence::DIVERGENCE,
    },
    ParameterGroup {
        name: "returns",
        meaning: "where the reward lands and how it is discounted",
        parameters: returns::RETURNS,
    },
    ParameterGroup {
        name: "whitening",
        meaning: "how advantages are normalised over the batch, where they are",
        parameters: whitening::WHITENING,
    },
];

/// The shared group that a list of parameters is.
fn group_of(parameters: &[Parameter]) -> Option<&'static str> {
    PARAMETER_GROUPS.iter().find(|group| group.parameters == parameters).map(|group| group.name)
}

/// The parameters of a recipe with their values; its own first.
pub(super) fn settings(recipe: &Recipe, values: &Parameters) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    for parameters in recipe.parameters {
        let group = group_of(parameters);
        settings.extend(parameters.iter().map(|parameter| Setting {
            name: parameter.name,
            default: parse(parameter.default),
            value: values.get(parameter.name).clone(),
            meaning: parameter.meaning,
            group,
        }));
    }
    settings.sort_by_key(|setting| setting.group.is_some());
    settings
}
