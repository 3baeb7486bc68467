//! The credit of every token of a rollout as colours, recipe under recipe.

use std::ops::Range;

use maud::{Markup, html};
use meed_pipelines::comparison::Contested;

use super::ComparisonReport;
use super::sections::{minus, number};
use super::tokens::Tokens;

/// Multiples of a recipe's scale at which its colour is full.
const FULL: f64 = 3.0;

/// Tokens that follow each other, in one step, with the same credit by every recipe.
struct Segment {
    tokens: Range<usize>,
    trainable: bool,
    /// The step that begins here.
    begins: Option<usize>,
}

fn segments(rollout: &Contested) -> Vec<Segment> {
    let mask = &rollout.token_mask;
    let same = |a: usize, b: usize| {
        mask[a] == mask[b] && rollout.credit.iter().flatten().all(|of| of[a].to_bits() == of[b].to_bits())
    };
    let starts: Vec<usize> =
        std::iter::once(0).chain(rollout.step_ends.iter().copied()).take(rollout.step_ends.len()).collect();
    let step_at = |token: usize| starts.iter().rposition(|&start| start == token);
    let mut segments: Vec<Segment> = Vec::new();
    for (token, &trainable) in mask.iter().enumerate() {
        let begins = step_at(token);
        match segments.last_mut() {
            Some(last) if begins.is_none() && same(token - 1, token) => last.tokens.end = token + 1,
            _ => segments.push(Segment { tokens: token..token + 1, trainable, begins }),
        }
    }
    segments
}

/// One contested rollout.
pub(super) fn heat_map(report: &ComparisonReport, place: usize, rollout: &Contested) -> Markup {
    let (tokens, segments) = (Tokens::of(rollout, report.tokenizer.as_ref()), segments(rollout));
    let texts: Vec<String> = segments.iter().map(|one| visible(&tokens.text(one.tokens.clone()))).collect();
    html! {
        article.contested id=(format!("contested-{}", place + 1)) {
            h3 { (rollout.rollout_id) }
            p.facts {
                span { "group " b { (rollout.group_id) } }
                @if rollout.iteration != 0 { span { "iteration " b { (rollout.iteration) } } }
                span { "disagreement " b { (number(Some(rollout.disagreement))) } }
                span {
                    "rewards of the group "
                    @for (at, reward) in rollout.rewards.iter().enumerate() {
                        @if at > 0 { ", " }
                        @if at == rollout.own { b.own title="this rollout" { (number(*reward)) } }
                        @else { (number(*reward)) }
                    }
                }
                @if let Some(reference) = &rollout.reference { span { "reference " b { (reference) } } }
            }
            @if let Some(prompt) = &rollout.prompt {
                details { summary { "Prompt" } p.prompt { (prompt) } }
            }
            div.heat {
                @for (name, scores) in &rollout.step_scores {
                    div.row.score {
                        div.label { b { (breakable(name)) } }
                        p.tokens {
                            @for (at, (segment, text)) in segments.iter().zip(&texts).enumerate() {
                                @if let Some(step) = segment.begins {
                                    span data-step=(step + 1) {}
                                    span.verdict { (number(scores.get(step).copied().flatten())) }
                                }
                                span.masked[!segment.trainable] data-i=(at) { (text) }
                            }
                        }
                    }
                }
                @for (index, credit) in rollout.credit.iter().enumerate() {
                    @let name = report.recipes[index].recipe.name;
                    @let scale = report.comparison.recipes[index].scale.unwrap_or(0.0);
                    div.row data-recipe=(name) {
                        @match credit {
                            Err(reason) => {
                                div.label { b { (breakable(name)) } }
                                p.tokens.out { "not trained on" @if !reason.is_empty() { ": " (reason) } }
                            }
                            Ok(advantages) => {
                                div.label {
                                    b { (breakable(name)) }
                                    output { "mean " (number(mean(advantages, &rollout.token_mask))) }
                                    (legend(scale))
                                }
                                p.tokens {
                                    @for (at, (segment, text)) in segments.iter().zip(&texts).enumerate() {
                                        (credited(segment, at, text, f64::from(advantages[segment.tokens.start]), scale, name))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Tokens in the colour of their credit.
fn credited(segment: &Segment, at: usize, text: &str, advantage: f64, scale: f64, name: &str) -> Markup {
    let step = segment.begins.map(|step| step + 1);
    if !segment.trainable {
        return html! { span.masked data-i=(at) data-step=[step] title="not trained on" { (text) } };
    }
    let part = if scale > 0.0 { (advantage.abs() / scale / FULL).min(1.0) } else { 0.0 };
    let shade = if advantage < 0.0 { "neg" } else { "pos" };
    let (first, last) = (segment.tokens.start + 1, segment.tokens.end);
    let tokens = if first == last { format!("token {first}") } else { format!("tokens {first} to {last}") };
    let value = minus(&advantage.to_string());
    let title = match scale > 0.0 {
        true => format!("{name} {value}, {} of its scale; {tokens}", number(Some(advantage / scale))),
        false => format!("{name} {value}; {tokens}"),
    };
    html! {
        span class=(shade) style=(format!("--a:{:.2}", part)) data-i=(at) data-step=[step] data-v=(number(Some(advantage))) title=(title) {
            (text)
        }
    }
}

/// A name that may be broken after its underscores.
fn breakable(name: &str) -> Markup {
    html! { @for part in name.split_inclusive('_') { (part) wbr; } }
}

/// What the colours of a recipe mean.
fn legend(scale: f64) -> Markup {
    let full = number(Some(FULL * scale));
    html! {
        span.legend {
            span { "−" (full) }
            i.ramp {}
            span { (full) }
        }
    }
}

fn mean(advantages: &[f32], mask: &[bool]) -> Option<f64> {
    let trainable = || advantages.iter().zip(mask).filter(|(_, trainable)| **trainable);
    let count = trainable().count();
    (count > 0).then(|| trainable().map(|(x, _)| f64::from(*x)).sum::<f64>() / count as f64)
}

/// Line breaks as signs, so that a rollout stays compact and no token is invisible.
fn visible(text: &str) -> String {
    text.replace("\r\n", "↵").replace(['\n', '\r'], "↵").replace('\t', "⇥")
}
