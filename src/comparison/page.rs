//! A comparison as a page that stands alone: plots, tables and token heat maps in one file.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use meed_operators::Result;

use super::ComparisonReport;
use super::heat_map::heat_map;
use super::sections::{agreement, in_short, measures, subject, what};

const STYLE: &str = include_str!("page.css");
/// Shows the numbers of a token in all recipes at once; without it they are in its title.
const SCRIPT: &str = include_str!("page.js");

impl ComparisonReport {
    /// The page, as HTML.
    ///
    /// # Errors
    /// None that data can cause.
    pub fn page(&self) -> Result<String> {
        let title = match self.recipes.as_slice() {
            [one] => format!("How {} credits {}", one.recipe.name, subject(self)),
            all => format!("How {} recipes credit {}", all.len(), subject(self)),
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (title) }
                        p { "Each recipe assigned credit to the same rollouts; here is what they say alike, what they do not, and where." }
                        (in_short(self))
                        nav {
                            a href="#what" { "What was compared" }
                            a href="#recipes" { "Each recipe" }
                            a href="#pairs" { "Each pair" }
                            a href="#contested" { "Contested rollouts" }
                        }
                    }
                    main {
                        (what(self))
                        (measures(self)?)
                        (agreement(self)?)
                        (self.heat_maps())
                    }
                    footer { p { "Made by meed " (env!("CARGO_PKG_VERSION")) "." } }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        Ok(page.into_string())
    }

    fn heat_maps(&self) -> Markup {
        html! {
            section #contested {
                h2 { "Contested rollouts" }
                p {
                    "The rollouts that the recipes disagree about most, at most one of a group. "
                    "Recipes have different units, so each advantage is first divided by the recipe’s own "
                    i { "scale" } ", the root mean square of all its token advantages:"
                }
                p.formula {
                    "disagreement = mean over trainable tokens t of std over recipes r of "
                    "A" sub { "r,t" } " / scale" sub { "r" }
                }
                p {
                    "Only recipes that train on the rollout count. In the heat maps, "
                    span.key.pos { "blue" } " is positive and " span.key.neg { "orange" } " negative credit; a colour is "
                    "full at three times the recipe’s scale, as its legend says. A numbered bar "
                    span data-step="1" { "begins a step" } "; " span.masked { "dotted text" } " is not trained on. "
                    "Point at or tap a token: every recipe then shows its number for that token in place of its mean."
                }
                @if self.comparison.contested.is_empty() {
                    p { "There are none: no rollout gets different credit from two recipes that train on it." }
                }
                @for (place, rollout) in self.comparison.contested.iter().enumerate() {
                    (heat_map(self, place, rollout))
                }
            }
        }
    }
}
