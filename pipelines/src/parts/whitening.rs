//! Whitening of advantages over the batch, with its conventions.

use meed_operators::Result;
use meed_operators::credit::{
    Center, Expr, Level, Norm, ROLLOUT, Scale, Singleton, TOKEN, ZeroStd, batch, group, mask, members,
    normalize, sum, when,
};

use crate::parameters::{Parameter, Parameters, parameter};

/// Parameters of whitening; the default of `whiten` belongs to the recipe.
pub const WHITENING: &[Parameter] = &[
    parameter("whiten_ddof", "1", "delta degrees of freedom: 1 sample, 0 population"),
    parameter("whiten_eps_var", "0", "added to the variance"),
    parameter("whiten_clamp_var", "0", "lower bound of the variance"),
    parameter("whiten_eps", "0", "added to the deviation"),
    parameter(
        "whiten_center",
        "null",
        "null: the mean of the scope; batch_mean, batch leave_one_out, group_mean",
    ),
    parameter("whiten_scale", "null", "null: the deviation of the scope; batch_std, group_std, none"),
    parameter("whiten_std_about", "null", "null: about the mean; centre: about what was subtracted"),
    parameter("mean_denominator_eps", "0", "added to the count in means"),
    parameter("whiten_skipped_below", "0", "batches with fewer trainable tokens are left as they are"),
];

/// The parameters [`WHITENING`] with another default of what is added to the variance.
pub const fn whitening_with(eps_var: &'static str) -> [Parameter; WHITENING.len()] {
    let mut all = [WHITENING[0]; WHITENING.len()];
    let mut i = 1;
    while i < all.len() {
        all[i] = WHITENING[i];
        i += 1;
    }
    all[1].default = eps_var;
    all
}

/// Whether and over what advantages are whitened, by default not.
pub const WHITEN_OFF: Parameter = parameter(
    "whiten",
    "none",
    "none, batch_tokens (trainable tokens of the batch), batch_rows, group_tokens, batch_tokens, mean only",
);
/// The same, by default over the trainable tokens of the batch.
pub const WHITEN_ON: Parameter = parameter("whiten", "batch_tokens", WHITEN_OFF.meaning);

/// The advantage, whitened as the parameters say.
pub fn whitened(parameters: &Parameters, advantage: Expr) -> Result<Expr> {
    let known = &["none", "batch_tokens", "batch_tokens, mean only", "batch_rows", "group_tokens"];
    let (by, at, mean_only): (_, Option<Level>, bool) = match parameters.text("whiten")? {
        "" | "none" => return Ok(advantage),
        "batch_tokens" => (batch(), Some(TOKEN), false),
        "batch_tokens, mean only" => (batch(), Some(TOKEN), true),
        "batch_rows" => (batch(), Some(ROLLOUT), false),
        "group_tokens" => (group(), Some(TOKEN), false),
        _ => return Err(parameters.unknown("whiten", known)),
    };
    let count_eps = parameters.number("mean_denominator_eps")?;
    let counted = || advantage.clone().spread(at.clone().unwrap_or(TOKEN));
    let center = match parameters.text("whiten_center")? {
        _ if count_eps > 0.0 => {
            Center::Given(sum(counted(), by.clone()) / (members(counted(), by.clone()) + count_eps))
        }
        "" => Center::Mean(by.clone()),
        "batch_mean" => Center::Mean(batch()),
        "group_mean" => Center::Mean(group()),
        "batch leave_one_out" => Center::LeaveOneOut(batch()),
        _ => {
            return Err(
                parameters.unknown("whiten_center", &["batch_mean", "batch leave_one_out", "group_mean"])
            );
        }
    };
    let about_center = !parameters.is_null("whiten_std_about");
    let scale = match parameters.text("whiten_scale")? {
        _ if mean_only => Scale::None,
        "none" => Scale::None,
        text @ ("" | "batch_std" | "group_std") => {
            let by = match text {
                "batch_std" => batch(),
                "group_std" => group(),
                _ => by.clone(),
            };
            if about_center { Scale::StdAboutCenter(by) } else { Scale::Std(by) }
        }
        _ => return Err(parameters.unknown("whiten_scale", &["batch_std", "group_std", "none"])),
    };
    let eps = parameters.number("whiten_eps")?;
    let variance_eps = parameters.number("whiten_eps_var")?;
    let variance_floor = parameters.number("whiten_clamp_var")?;
    let bare = eps == 0.0 && variance_eps == 0.0 && variance_floor == 0.0;
    let whitened = normalize(
        advantage.clone(),
        &Norm {
            center,
            scale,
            ddof: parameters.small("whiten_ddof")?,
            variance_eps,
            variance_floor,
            eps,
            zero_std: if bare { ZeroStd::Skip } else { ZeroStd::Divide },
            singleton: Singleton::Formula,
            singleton_by: None,
            counted_at: at,
            once_per: None,
        },
    );
    let fewest = parameters.number("whiten_skipped_below")?;
    if fewest > 0.0 {
        let tokens = members(mask(), batch());
        return Ok(when(tokens.less(fewest), advantage, whitened));
    }
    Ok(whitened)
}

/// `(x - mean) / (std + eps)` over the values of the batch.
pub fn standardised(x: Expr, ddof: u8, eps: f64) -> Expr {
    normalize(x, &Norm { ddof, eps, ..Norm::whitening(0.0) })
}
