//! The normalisation parameters: centre, scale and their rules.

use meed_operators::Result;
use meed_operators::credit::{
    By, Center, Expr, Norm, ROLLOUT, Reduction, Scale, Singleton, ZeroStd, batch, group, history, mask,
};

use crate::parameters::{Parameter, Parameters, parameter};

/// The parameter that names a system's conventions.
pub const PRESET: &[Parameter] = &[parameter(
    "preset",
    "null",
    "conventions of a system: verl, trl, trl_async, openrlhf, nemo_rl, skyrl, rllm, slime, roll, areal, prime_rl, open_instruct, tinker",
)];

/// Parameters of a group normalisation.
pub const NORM: &[Parameter] = &[
    parameter(
        "center",
        "group_mean",
        "what is subtracted: group_mean, leave_one_out, length_weighted_mean, batch_mean, batch leave_one_out, running_mean (of all iterations so far), none",
    ),
    parameter(
        "scale",
        "group_std",
        "what it is divided by: group_std, leave_one_out_std, batch_std, batch_std_of_centred, running_std, group_mean, none",
    ),
    parameter("ddof", "1", "delta degrees of freedom of the deviation: 1 sample, 0 population"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter("std_about", "null", "null: about the mean; centre: about what was subtracted"),
    parameter("variance_floor", "0", "lower bound of the variance"),
    parameter("zero_std", "null", "null: divide by 0 + eps; skip: do not divide; zero when std <= 1e-6"),
    parameter(
        "singleton",
        "null",
        "what a group of one gets: zero (default), raw, mean0_std1 (raw / (1 + eps)), error (null)",
    ),
    parameter("peers", "null", "a further key that splits groups: a column, or the name of a rule"),
    parameter(
        "rows",
        "null",
        "where a rollout has several rows: it counts once, by the key source_rollout_id",
    ),
];

const CENTERS: &[&str] = &[
    "group_mean",
    "leave_one_out",
    "length_weighted_mean",
    "batch_mean",
    "batch leave_one_out",
    "running_mean",
    "none",
];
const SCALES: &[&str] = &[
    "group_std",
    "leave_one_out_std",
    "batch_std",
    "batch_std_of_centred",
    "running_std",
    "group_mean",
    "none",
];
const ZERO: &[&str] = &["skip", "zero when std <= 1e-6", "zero when std <= 1e-6 or the group has one member"];
const SINGLETONS: &[&str] =
    &["zero", "raw", "mean0", "mean0_std1", "raw/(1+eps)", "error", "own reward and 0"];

/// The normalisation that the parameters describe.
pub fn norm(parameters: &Parameters, by_group: By) -> Result<Norm> {
    let about_center = match parameters.text("std_about")? {
        "" => false,
        "centre" | "the centre, so about the leave-one-out mean" => true,
        _ => return Err(parameters.unknown("std_about", &["centre"])),
    };
    let center = match parameters.text("center")? {
        "group_mean" => Center::Mean(by_group.clone()),
        "leave_one_out" => Center::LeaveOneOut(by_group.clone()),
        "length_weighted_mean" => Center::Weighted(by_group.clone(), trainable_tokens()),
        "batch_mean" => Center::Mean(batch()),
        "batch leave_one_out" => Center::LeaveOneOut(batch()),
        "running_mean" => Center::Mean(history()),
        "none" => Center::None,
        _ => return Err(parameters.unknown("center", CENTERS)),
    };
    let std = |by: By| {
        if about_center { Scale::StdAboutCenter(by) } else { Scale::Std(by) }
    };
    let scale = match parameters.text("scale")? {
        "group_std" => std(by_group.clone()),
        "leave_one_out_std" => Scale::LeaveOneOutStd(by_group.clone()),
        "batch_std" => std(batch()),
        "running_std" => std(history()),
        "batch_std_of_centred" | "batch_std of the centred rewards" => Scale::StdOfCentered(batch()),
        "group_mean" => Scale::Mean(by_group.clone()),
        "none" => Scale::None,
        _ => return Err(parameters.unknown("scale", SCALES)),
    };
    let mut singleton_by = None;
    let zero_std = match parameters.text("zero_std")? {
        "" => ZeroStd::Divide,
        "skip" => ZeroStd::Skip,
        "zero when std <= 1e-6" => ZeroStd::ZeroBelow(1e-6),
        "zero when std <= 1e-6 or the group has one member" => {
            singleton_by = Some(by_group.clone());
            ZeroStd::ZeroBelow(1e-6)
        }
        _ => return Err(parameters.unknown("zero_std", ZERO)),
    };
    let singleton = match parameters.text("singleton")? {
        "" if matches!(&center, Center::LeaveOneOut(by) if *by == batch()) => match scale {
            Scale::None => Singleton::Raw,
            _ => Singleton::RawOverOnePlusEps,
        },
        "" if singleton_by.is_none() && center == Center::None => Singleton::Formula,
        "" | "zero" => Singleton::Zero,
        "raw" | "mean0" => Singleton::Raw,
        "mean0_std1" | "raw/(1+eps)" => Singleton::RawOverOnePlusEps,
        "must be defined" => Singleton::Zero,
        "error" | "error (needs n > 1)" => Singleton::Null,
        "own reward and 0" => Singleton::Zero,
        _ => return Err(parameters.unknown("singleton", SINGLETONS)),
    };
    let once_per = match parameters.text("rows")? {
        "" => None,
        _ => Some(meed_operators::credit::signal("source_rollout_id")),
    };
    Ok(Norm {
        center,
        scale,
        ddof: parameters.small("ddof")?,
        variance_eps: 0.0,
        variance_floor: parameters.number("variance_floor")?,
        eps: parameters.number("eps")?,
        zero_std,
        singleton,
        singleton_by,
        counted_at: None,
        once_per,
    })
}

/// The key of a group: `group`, and where asked a further key inside it.
pub fn peers(parameters: &Parameters) -> Result<By> {
    use meed_operators::credit::signal;
    Ok(match parameters.text("peers")? {
        "" => group(),
        "solver: same episode and agent; others: same group and agent" => {
            let agent = || signal("agent");
            let episode = signal("episode_id")
                .null_if(agent().equals(meed_operators::credit::text("solver")).negated());
            group().and(agent()).and(episode.or_else(signal("group_id")))
        }
        column => group().and(signal(column)),
    })
}

/// Number of trainable tokens of each rollout.
pub fn trainable_tokens() -> Expr {
    mask().reduce(ROLLOUT, Reduction::Sum).empty(0.0)
}
