//! C3's measures of credit, for any method: how faithful it is, how much it varies in a context, and how much a
//! message tells about what is done next.
//!
//! A batch has one row per credited message (or action, or step):
//!
//! | column | read by | |
//! |---|---|---|
//! | `advantage` | [`fidelity`], [`variance`] | Float64: the credit |
//! | `gain` | [`fidelity`] | Float64: its truth, the mean return of extra replays less the value of the context |
//! | `context` | [`variance`], [`influence`] | Utf8: what was the case when the message was sent |
//! | `message` | [`influence`] | Utf8: the message |
//! | `next_action` | [`influence`] | Utf8: what is done next, such as a hash of it |

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{RecordBatch, StringArray};
use meed_operators::Result;
use statrs::statistics::{Data, OrderStatistics, RankTieBreaker, Statistics};

use super::columns::{at, mean, numbers, required, texts};

/// Most kinds of next actions that are told apart in a context; the rarer ones are one more kind.
const SYMBOLS: usize = 64;

/// Spearman's rank correlation of the credit with its truth; ties have the mean of their ranks. `None` where one
/// of them does not vary (0 in the released program). Rows without either do not count.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Float64Array, RecordBatch};
/// use meed_pipelines::metrics::credit::fidelity;
///
/// let column = |values: [f64; 4]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
/// let gain = column([0.35, -0.05, 0.1, -0.4]);
/// let of = |credit| {
///     fidelity(&RecordBatch::try_from_iter([("advantage", column(credit)), ("gain", gain.clone())]).unwrap())
/// };
/// assert!((of([0.4, -0.1, 0.1, -0.4])?.unwrap() - 1.0).abs() < 1e-12);
/// assert!((of([0.5, 0.5, 0.0, -1.0])?.unwrap() - 0.6324555320).abs() < 1e-9);
/// assert_eq!(of([0.5; 4])?, None);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// Columns that are missing or of another type.
pub fn fidelity(credits: &RecordBatch) -> Result<Option<f64>> {
    let (credit, gain) = (numbers(credits, "advantage")?, numbers(credits, "gain")?);
    let known = credit.iter().zip(&gain).filter_map(|(credit, gain)| credit.zip(gain));
    let comparable = known.filter(|(credit, gain)| credit.is_finite() && gain.is_finite());
    let (credit, gain): (Vec<f64>, Vec<f64>) = comparable.unzip();
    let ranks = |values: Vec<f64>| Data::new(values).ranks(RankTieBreaker::Average);
    let (credit, gain) = (ranks(credit), ranks(gain));
    let spread = credit.iter().population_std_dev() * gain.iter().population_std_dev();
    Ok((spread > 0.0).then(|| credit.iter().population_covariance(gain.iter()) / spread))
}

/// The mean over contexts of the population variance of the credit in them; `None` without a context.
///
/// # Errors
/// Columns that are missing or of another type, a null context.
pub fn variance(credits: &RecordBatch) -> Result<Option<f64>> {
    let (contexts, credit) = (texts(credits, "context")?, numbers(credits, "advantage")?);
    let mut of: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in 0..credits.num_rows() {
        let context = required(at!(contexts, row), "context", row)?;
        of.entry(context.to_owned()).or_default().extend(at!(credit, row));
    }
    Ok(mean(
        of.values().filter(|credits| !credits.is_empty()).map(|credits| credits.iter().population_variance()),
    ))
}

/// The mean over contexts of the mutual information, in nats, of the message and the next action; `alpha` is
/// added to every count of a pair (Laplace; 1 in the released program, where rare actions are one kind, which is
/// counted whether there are any or not). `None` without a context.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use meed_pipelines::metrics::credit::influence;
///
/// let column = |texts: [&str; 6]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
/// let sent = RecordBatch::try_from_iter([
///     ("context", column(["h"; 6])),
///     ("message", column(["a", "a", "a", "b", "b", "b"])),
///     ("next_action", column(["x", "x", "y", "y", "y", "y"])),
/// ])?;
/// assert!((influence(&sent, 1.0)?.unwrap() - 0.0719205181).abs() < 1e-9);
/// assert!((influence(&sent, 0.0)?.unwrap() - 0.3182570841).abs() < 1e-9);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// Columns that are missing or of another type, a null context, message or action.
pub fn influence(sent: &RecordBatch, alpha: f64) -> Result<Option<f64>> {
    let columns = ["context", "message", "next_action"];
    let [contexts, messages, actions] = columns.map(|name| texts(sent, name).map(|texts| (name, texts)));
    let (contexts, messages, actions) = (contexts?, messages?, actions?);
    let mut of: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in 0..sent.num_rows() {
        let text = |(name, texts): &(&str, StringArray)| -> Result<String> {
            Ok(required(at!(texts, row), name, row)?.to_owned())
        };
        of.entry(text(&contexts)?).or_default().push((text(&messages)?, text(&actions)?));
    }
    Ok(mean(of.values().map(|pairs| information(pairs, alpha))))
}

/// The mutual information of pairs.
fn information(pairs: &[(String, String)], alpha: f64) -> f64 {
    let mut frequency: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, action) in pairs {
        *frequency.entry(action).or_default() += 1;
    }
    let mut symbols: Vec<(&str, usize)> = frequency.into_iter().collect();
    symbols.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    symbols.truncate(SYMBOLS);
    let symbols: BTreeMap<&str, usize> = symbols.iter().enumerate().map(|(at, of)| (of.0, at)).collect();
    let messages: BTreeSet<&str> = pairs.iter().map(|(message, _)| message.as_str()).collect();
    let messages: BTreeMap<&str, usize> = messages.into_iter().zip(0..).collect();
    let kinds = symbols.len() + 1;
    let mut table = vec![vec![alpha; kinds]; messages.len()];
    for (message, action) in pairs {
        table[messages[message.as_str()]][symbols.get(action.as_str()).copied().unwrap_or(kinds - 1)] += 1.0;
    }
    let of_message: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
    let of_kind: Vec<f64> = (0..kinds).map(|kind| table.iter().map(|row| row[kind]).sum()).collect();
    let total: f64 = of_message.iter().sum();
    let cells = table.iter().zip(&of_message).flat_map(|(row, message)| {
        row.iter()
            .zip(&of_kind)
            .filter(|(count, _)| **count > 0.0)
            .map(move |(count, kind)| count / total * (count * total / (message * kind)).ln())
    });
    cells.sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array};

    use super::*;

    #[test]
    fn variance_is_the_mean_over_contexts() {
        let credit =
            [Some(0.4), Some(-0.13333333333333333), Some(0.13333333333333333), Some(-0.4), Some(2.0), None];
        let credits = RecordBatch::try_from_iter([
            ("context", Arc::new(StringArray::from(vec!["h", "h", "h", "h", "one", "none"])) as ArrayRef),
            ("advantage", Arc::new(Float64Array::from(credit.to_vec()))),
        ])
        .unwrap();
        let one = variance(&credits.slice(0, 4)).unwrap().unwrap();
        assert!((one - 0.0888888889).abs() < 1e-9, "{one}");
        assert!((variance(&credits).unwrap().unwrap() - one / 2.0).abs() < 1e-12);
        assert_eq!(variance(&credits.slice(5, 1)).unwrap(), None);
    }

    #[test]
    fn rare_actions_are_one_kind() {
        let action = |i: usize| if i < 100 { format!("often {}", i % 64) } else { format!("once {i}") };
        let pairs: Vec<(String, String)> = (0..200).map(|i| ("m".into(), action(i))).collect();
        assert!(information(&pairs, 1.0).abs() < 1e-12, "one message tells nothing");
        let told: Vec<(String, String)> = (0..64).map(|i| (format!("m{i}"), format!("a{i}"))).collect();
        assert!((information(&told, 0.0) - 64f64.ln()).abs() < 1e-12);
    }
}
