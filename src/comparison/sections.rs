//! The sections of the page that hold numbers: what was compared, each recipe, each pair.

use maud::{Markup, PreEscaped, html};
use meed_operators::Result;
use meed_pipelines::comparison::{Agreement, LEVELS, Pair};
use serde_json::Value;

use super::plots::{OF_LEVELS, Scale, bars, dots, matrix};
use super::{Compared, ComparisonReport};

/// A number with three significant digits, or a dash for none.
pub(super) fn number(x: Option<f64>) -> String {
    let Some(x) = x else {
        return "–".to_owned();
    };
    let size = x.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        1e-4..1e5 => {
            let digits = (2 - size.log10().floor() as i32).clamp(0, 7) as usize;
            let text = format!("{x:.digits$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        _ => format!("{x:.2e}"),
    };
    minus(&text)
}

/// With a sign that is as wide as a plus.
pub(super) fn minus(text: &str) -> String {
    text.replace('-', "−")
}

fn percent(x: Option<f64>) -> String {
    x.map_or_else(|| "–".to_owned(), |x| format!("{:.1} %", 100.0 * x))
}

/// A count with its thousands parted.
fn count(x: u64) -> String {
    let digits = x.to_string();
    let first = digits.len() % 3;
    let groups =
        digits.as_bytes()[first..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let parts: Vec<String> =
        Some(digits[..first].to_owned()).filter(|part| !part.is_empty()).into_iter().chain(groups).collect();
    parts.join(",")
}

/// What the rollouts are called: a dataset, or the last part of a path.
pub(super) fn subject(report: &ComparisonReport) -> &str {
    let uri = report.input.uri.trim_end_matches('/');
    uri.rsplit('/').next().unwrap_or(uri)
}

fn names(report: &ComparisonReport) -> Vec<&'static str> {
    report.recipes.iter().map(|one| one.recipe.name).collect()
}

/// The pair with the greatest or the least value.
fn extreme(
    report: &ComparisonReport,
    value: fn(&Agreement) -> Option<f64>,
    greatest: bool,
) -> Option<(&Pair, f64)> {
    let pairs = report.comparison.pairs.iter();
    let valued = pairs.filter_map(|pair| Some((pair, value(&pair.levels[0])?)));
    valued.reduce(|best, next| if (next.1 > best.1) == greatest && next.1 != best.1 { next } else { best })
}

/// What a reader should know who reads nothing else.
pub(super) fn in_short(report: &ComparisonReport) -> Markup {
    let (comparison, names) = (&report.comparison, names(report));
    let pair = |pair: &Pair| html! { b { (names[pair.recipes.0]) } " and " b { (names[pair.recipes.1]) } };
    let spearman = |level: &Agreement| level.spearman;
    let alike =
        comparison.pairs.iter().filter(|pair| pair.levels[0].spearman.is_some_and(|x| x > 0.995)).count();
    let even: Vec<&str> = (0..names.len())
        .filter(|&index| comparison.recipes[index].uneven == Some(0.0))
        .map(|index| names[index])
        .collect();
    let silent = |index: &usize| comparison.recipes[*index].zero_signal;
    let by_silence = |a: &usize, b: &usize| silent(a).unwrap_or(0.0).total_cmp(&silent(b).unwrap_or(0.0));
    let (least, most) = ((0..names.len()).min_by(by_silence), (0..names.len()).max_by(by_silence));
    html! {
        ul.short {
            li {
                (count(comparison.rollouts)) " rollouts in " (count(comparison.groups)) " groups, with "
                (count(comparison.elements[0])) " trainable tokens"
                @if comparison.elements[1] > 0 { " in " (count(comparison.elements[1])) " steps" } "."
            }
            @if let Some((closest, x)) = extreme(report, spearman, true) {
                li {
                    "Most alike: " (pair(closest)) ", which rank tokens with a correlation of " (number(Some(x)))
                    @if alike > 1 { "; " (alike) " of " (comparison.pairs.len()) " pairs are above 0.995" } "."
                }
            }
            @if let Some((furthest, x)) = extreme(report, spearman, false).filter(|_| comparison.pairs.len() > 1) {
                li { "Least alike: " (pair(furthest)) ", with a correlation of " (number(Some(x))) "." }
            }
            @if let (Some(least), Some(most)) = (least, most) {
                li {
                    "Groups that teach nothing: from " (percent(silent(&least))) " (" b { (names[least]) } ") to "
                    (percent(silent(&most))) " (" b { (names[most]) } ")."
                }
            }
            @if !even.is_empty() {
                li {
                    (even.len()) " of " (names.len()) " recipes give all tokens of a rollout the same credit: "
                    (even.join(", ")) "."
                }
            }
        }
    }
}

/// The data, and the recipes with their parameters.
pub(super) fn what(report: &ComparisonReport) -> Markup {
    let input = |uri: &str, version: Option<u64>| match version {
        Some(version) if !uri.contains('@') => format!("{uri}@{version}"),
        _ => uri.to_owned(),
    };
    html! {
        section #what {
            h2 { "What was compared" }
            dl.what {
                dt { "Rollouts" }
                dd {
                    code { (input(&report.input.uri, report.input.version)) }
                    span.quiet { ", fingerprint " code { (report.input.fingerprint) } }
                }
                @for scores in &report.scores {
                    dt { "Scores" }
                    dd { code { (input(&scores.uri, scores.version)) } }
                }
                @for (judge, tally) in &report.judges {
                    dt { "Judge" }
                    dd {
                        b { (judge) } ", asked on the way: " (count(tally.scores)) " scores, "
                        (count(tally.no_opinion)) " without an opinion"
                        @if tally.failed() > 0 { ", " (count(tally.failed())) " failed" }
                    }
                }
                @if report.rejected > 0 { dt { "Left out" } dd { (count(report.rejected)) " bad rows" } }
            }
            div.scroll {
                table {
                    thead { tr { th { "recipe" } th.text { "set" } th.text { "what it is" } th.text { "all parameters" } } }
                    tbody {
                        @for one in &report.recipes {
                            tr {
                                th { (one.recipe.name) }
                                td.text { (settings(one)) }
                                td.text { (one.recipe.title) br; span.quiet { (one.recipe.citation) } }
                                td.text { details { summary { "show" } code { (parameters(one)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn settings(one: &Compared) -> Markup {
    html! {
        @if one.settings.is_empty() { "defaults" }
        @for (at, (key, value)) in one.settings.iter().enumerate() {
            @if at > 0 { br; }
            code { (key) "=" (plain(value)) }
        }
    }
}

fn parameters(one: &Compared) -> String {
    let all = one.parameters.as_object().into_iter().flatten();
    let texts: Vec<String> = all.map(|(key, value)| format!("{key}={}", plain(value))).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The measures of each recipe.
pub(super) fn measures(report: &ComparisonReport) -> Result<Markup> {
    let (names, recipes) = (names(report), &report.comparison.recipes);
    let with_steps = report.comparison.elements[1] > 0;
    let zero: Vec<Option<f64>> = recipes.iter().map(|one| one.zero_signal).collect();
    let concentration: Vec<Option<f64>> = recipes.iter().map(|one| one.concentration).collect();
    let rollouts = report.comparison.rollouts.max(1) as f64;
    let in_loss: Vec<Option<f64>> =
        recipes.iter().map(|one| Some(one.summary.in_loss as f64 / rollouts)).collect();
    let means: Vec<[Option<f64>; 3]> = recipes.iter().map(|one| one.mean_absolute).collect();
    let has_reasons = recipes.iter().any(|one| !one.summary.reasons.is_empty());
    let cut = recipes.iter().any(|one| one.significant_bits.iter().flatten().next().is_some());
    Ok(html! {
        section #recipes {
            h2 { "Each recipe" }
            div.scroll {
                table {
                    thead {
                        tr {
                            th { "recipe" } th { "in the loss" } th { "zero-signal" br; "groups" }
                            th { "mean |A|" br; "token" } th { "mean |A|" br; "step" } th { "mean |A|" br; "rollout" }
                            th { "concen-" br; "tration" } th { "uneven" br; "rollouts" }
                            @if has_reasons { th.text { "left out" } }
                        }
                    }
                    tbody {
                        @for (name, one) in names.iter().zip(recipes) {
                            tr data-recipe=(name) {
                                th { (name) }
                                td { (count(one.summary.in_loss)) }
                                td { (percent(one.zero_signal)) }
                                @for mean in one.mean_absolute { td { (number(mean)) } }
                                td { (percent(one.concentration)) }
                                td { (percent(one.uneven)) }
                                @if has_reasons {
                                    td.text {
                                        @for (at, (reason, rollouts)) in one.summary.reasons.iter().enumerate() {
                                            @if at > 0 { br; }
                                            (count(*rollouts)) ": " (reason)
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            dl.terms {
                dt { "In the loss" }
                dd { "Rollouts that the recipe trains on; the others lack something that it needs, and all its numbers are without them." }
                dt { "Zero-signal groups" }
                dd { "Share of groups in which no token gets credit: training on them changes nothing." }
                dt { "Mean |A|" }
                dd {
                    "Mean absolute advantage of a trainable token; of a step, whose advantage is the mean over its trainable "
                    "tokens; of a rollout, likewise. Where a recipe gives both signs inside a rollout, they cancel in the mean, and the rollout’s is smaller than the token’s."
                }
                dt { "Concentration" }
                dd { "Share of all absolute credit that lies on the tenth of the tokens with the most of it: 10 % where credit is spread evenly, 100 % where a tenth has it all." }
                dt { "Uneven rollouts" }
                dd { "Share of rollouts in the loss whose tokens do not all get the same: 0 % for methods that credit a rollout as a whole." }
            }
            @if cut {
                p.quiet { "Some recipes give more different values than are told apart in memory; theirs were cut to fewer significant bits for ranks and concentration." }
            }
            div.plots {
                figure { h3 { "Zero-signal groups" } (PreEscaped(bars(&names, &zero, 1.0, true)?)) }
                figure { h3 { "Concentration" } (PreEscaped(bars(&names, &concentration, 1.0, true)?)) }
                figure {
                    h3 { "Mean absolute advantage" }
                    figcaption { (levels(with_steps)) "; logarithmic, 0 has no mark" }
                    (PreEscaped(dots(&names, &means)?))
                }
                figure { h3 { "Rollouts in the loss" } (PreEscaped(bars(&names, &in_loss, 1.0, true)?)) }
            }
        }
    })
}

fn levels(with_steps: bool) -> Markup {
    let signs = ["●", "▲", "□"];
    html! {
        span.levels {
            @for level in 0..LEVELS.len() {
                @if level != 1 || with_steps {
                    @let color = OF_LEVELS[level];
                    span { b style=(format!("color:rgb({} {} {})", color.0, color.1, color.2)) { (signs[level]) } " " (LEVELS[level]) }
                }
            }
        }
    }
}

/// How the recipes agree in pairs.
pub(super) fn agreement(report: &ComparisonReport) -> Result<Markup> {
    let names = names(report);
    if names.len() < 2 {
        return Ok(html! { section #pairs { h2 { "Each pair" } p { "One recipe is no pair." } } });
    }
    let of = |level: usize, value: fn(&Agreement) -> Option<f64>, scale: Scale| {
        let find = |a: usize, b: usize| {
            let recipes = (a.min(b), a.max(b));
            let pair = report.comparison.pairs.iter().find(|pair| pair.recipes == recipes);
            pair.and_then(|pair| value(&pair.levels[level]))
        };
        matrix(&names, find, scale)
    };
    let with_steps = report.comparison.elements[1] > 0;
    let shown: Vec<usize> = (0..LEVELS.len()).filter(|level| *level != 1 || with_steps).collect();
    let mut plots = Vec::new();
    for &level in &shown {
        let spearman = of(level, |of| of.spearman, Scale::Diverging)?;
        let signs = of(level, |of| of.same_sign, Scale::Share)?;
        plots.push(html! {
            div.plots {
                figure { h3 { "Rank correlation of " (LEVELS[level]) "s" } div.scroll.wide { (PreEscaped(spearman)) } }
                figure { h3 { "Same sign, " (LEVELS[level]) "s" } div.scroll.wide { (PreEscaped(signs)) } }
            }
        });
    }
    let of_rollouts = plots.pop();
    Ok(html! {
        section #pairs {
            h2 { "Each pair" }
            p { "Two recipes are compared on the rollouts that both train on." }
            dl.terms {
                dt { "Rank correlation" }
                dd {
                    "Spearman’s: 1 where two recipes put tokens in the same order from blame to praise, 0 where their orders have "
                    "nothing in common, −1 where they are opposite. It does not depend on units. Equal values share the mean of their ranks; "
                    "a dash means that one of the two gives everything the same."
                }
                dt { "Same sign" }
                dd { "Of the tokens to which at least one of the two gives credit: the share to which both give credit of the same sign." }
                dt { "Steps and rollouts" }
                dd { "The same for the means over the trainable tokens of a step, or of a rollout." }
            }
            @for plot in &plots { (plot) }
            details { summary { "The same for rollouts" } @if let Some(plot) = of_rollouts { (plot) } }
            details {
                summary { "All pairs in numbers" }
                div.scroll {
                    table {
                        thead {
                            tr {
                                th { "recipe" } th.text { "other" }
                                @for &level in &shown {
                                    th { (LEVELS[level]) "s" } th { "rank" br; "correlation" } th { "same sign" } th { "opposite" }
                                }
                            }
                        }
                        tbody {
                            @for pair in &report.comparison.pairs {
                                tr {
                                    th { (names[pair.recipes.0]) } td.text { (names[pair.recipes.1]) }
                                    @for &level in &shown {
                                        @let of = &pair.levels[level];
                                        td { (count(of.elements)) } td { (number(of.spearman)) }
                                        td { (percent(of.same_sign)) } td { (percent(of.opposite_sign)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{count, number};

    #[test]
    fn numbers_have_three_digits() {
        let shown = [0.0, 1.0, -0.75, 0.866_025_4, 0.000_123_45, 1234.56, 1e-9, 2e7].map(|x| number(Some(x)));
        assert_eq!(shown, ["0", "1", "−0.75", "0.866", "0.000123", "1235", "1.00e−9", "2.00e7"]);
        assert_eq!(number(None), "–");
        assert_eq!([7, 999, 5276, 1_234_567].map(count), ["7", "999", "5,276", "1,234,567"]);
    }
}
