//! A comparison as one JSON document.

use meed_catalog::Input;
use meed_pipelines::comparison::{Agreement, LEVELS, Measures, Pair};
use serde_json::{Map, Value, json};

use super::ComparisonReport;

impl ComparisonReport {
    /// Everything but the credit of contested rollouts.
    pub fn json(&self) -> Value {
        let comparison = &self.comparison;
        let input = |input: &Input| json!({ "uri": input.uri, "version": input.version, "fingerprint": input.fingerprint });
        let judges = self.judges.iter().map(|(name, tally)| {
            let (scores, failed) = (tally.scores, tally.failed());
            json!({ "judge": name, "scores": scores, "no_opinion": tally.no_opinion, "failed": failed })
        });
        let recipes = self.recipes.iter().zip(&comparison.recipes).map(|(one, measures)| {
            let mut about = Map::new();
            about.insert("recipe".to_owned(), one.recipe.name.into());
            about.insert("parameters".to_owned(), one.parameters.clone());
            about.insert("set".to_owned(), Value::Object(one.settings.iter().cloned().collect()));
            about.extend(of_recipe(measures));
            Value::Object(about)
        });
        let contested = comparison.contested.iter().map(|one| {
            json!({
                "iteration": one.iteration,
                "group_id": one.group_id,
                "rollout_id": one.rollout_id,
                "disagreement": one.disagreement,
            })
        });
        json!({
            "rollouts_of": input(&self.input),
            "scores": self.scores.iter().map(input).collect::<Vec<_>>(),
            "judges": judges.collect::<Vec<_>>(),
            "rollouts": comparison.rollouts,
            "groups": comparison.groups,
            "elements": by_level(&comparison.elements, |count| json!(count)),
            "recipes": recipes.collect::<Vec<_>>(),
            "pairs": comparison.pairs.iter().map(|pair| self.of_pair(pair)).collect::<Vec<_>>(),
            "contested": contested.collect::<Vec<_>>(),
        })
    }

    fn of_pair(&self, pair: &Pair) -> Value {
        let name = |index: usize| Value::from(self.recipes[index].recipe.name);
        let agreement = |level: &Agreement| {
            json!({
                "elements": level.elements,
                "same_sign": level.same_sign,
                "opposite_sign": level.opposite_sign,
                "spearman": level.spearman,
            })
        };
        let mut about = Map::new();
        about.insert("recipe".to_owned(), name(pair.recipes.0));
        about.insert("other".to_owned(), name(pair.recipes.1));
        about.extend(by_level(&pair.levels, agreement));
        Value::Object(about)
    }
}

fn of_recipe(measures: &Measures) -> Map<String, Value> {
    let about = [
        ("in_loss", json!(measures.summary.in_loss)),
        ("left_out", json!(measures.summary.reasons)),
        ("zero_signal", json!(measures.zero_signal)),
        ("mean_absolute", Value::Object(by_level(&measures.mean_absolute, |mean| json!(mean)))),
        ("scale", json!(measures.scale)),
        ("concentration", json!(measures.concentration)),
        ("uneven", json!(measures.uneven)),
        ("significant_bits", Value::Object(by_level(&measures.significant_bits, |bits| json!(bits)))),
    ];
    about.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

fn by_level<T>(values: &[T; 3], value: impl Fn(&T) -> Value) -> Map<String, Value> {
    LEVELS.iter().zip(values).map(|(level, of)| ((*level).to_owned(), value(of))).collect()
}
