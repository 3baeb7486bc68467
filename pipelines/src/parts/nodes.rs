//! Credit of tree nodes that rollouts share.

use meed_operators::Result;
use meed_operators::credit::{Center, Credit, Expr, Norm, Scale, TOKEN, value, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::tree::Tree;
use crate::recipe::Plan;

/// How often a shared node is trained on.
pub const SHARED: &[Parameter] = &[parameter(
    "shared",
    "once",
    "a node that rollouts share is trained on: once (in the first of them), each (in every one)",
)];

/// What differences among siblings are divided by.
pub const SIBLINGS: &[Parameter] = &[
    parameter("scale", "std", "what differences among siblings are divided by: std (sample deviation), none"),
    parameter("eps", "1e-6", "added to the deviation"),
];

/// Normalisation among the children of one node, each counted once; 0 for an only child. By the parameters
/// [`SIBLINGS`].
pub fn among_siblings(parameters: &Parameters, tree: &Tree) -> Result<Norm> {
    let norm = over_deviation_of_siblings(parameters, tree)?;
    match parameters.text("scale")? {
        "std" => Ok(norm),
        "none" => Ok(Norm { scale: Scale::None, ..norm }),
        _ => Err(parameters.unknown("scale", &["std", "none"])),
    }
}

/// The same, always over the sample deviation; only `eps` is a parameter.
pub fn over_deviation_of_siblings(parameters: &Parameters, tree: &Tree) -> Result<Norm> {
    Ok(Norm {
        center: Center::Mean(tree.by_parent()),
        scale: Scale::Std(tree.by_parent()),
        once_per: Some(tree.node()),
        ..Norm::group_std(parameters.number("eps")?)
    })
}

/// The plan in which nodes where `trained` is true are trained on, as often as the parameter of [`SHARED`] says.
pub fn credited(parameters: &Parameters, tree: Tree, credit: Credit, trained: Expr) -> Result<Plan> {
    let trained = match parameters.text("shared")? {
        "once" => trained.and(tree.first()),
        "each" => trained,
        _ => return Err(parameters.unknown("shared", &["once", "each"])),
    };
    Ok(tree.plan(credit.weights(when(trained, value(1.0), 0.0).spread(TOKEN))))
}
