//! The list of judges, and how they are found by name and made from parameters.

mod likelihood;
mod verifiers;

use std::sync::Arc;

use meed_operators::judge::Judge;
use meed_operators::{Error, Result};
use serde_json::Value;

use crate::parameters::{Parameter, Parameters};

/// Judges that one name stands for.
pub type Made = Vec<Arc<dyn Judge>>;

/// A judge that can be asked for by name.
#[derive(Debug, Clone, Copy)]
pub struct JudgeDefinition {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// One line about it.
    pub title: &'static str,
    /// What its scores mean and how it arrives at them.
    pub meaning: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// True where it asks a model.
    pub asks_policy: bool,
    /// Makes it; some names stand for several judges that belong together.
    pub build: fn(&Parameters) -> Result<Made>,
}

/// Every judge, in alphabetical order inside its kind.
pub const JUDGES: &[&JudgeDefinition] = &[
    &verifiers::CALCULATOR,
    &verifiers::EXACT,
    &verifiers::JSON_SCHEMA,
    &verifiers::MULTIPLE_CHOICE,
    &verifiers::NUMERIC,
    &verifiers::PASSED,
    &verifiers::REGEX,
    &likelihood::ANSWER_LIKELIHOOD,
    &likelihood::GOLD_LOGPROBS,
    &likelihood::INFORMATION_GAINS,
    &likelihood::PROBE,
    &likelihood::REFERENCE_LOGPROBS,
];

/// The judge of a name.
///
/// # Errors
/// A name that is no judge; the hint lists them.
pub fn find_judge(name: &str) -> Result<&'static JudgeDefinition> {
    JUDGES.iter().find(|judge| judge.name == name).copied().ok_or_else(|| {
        let names: Vec<&str> = JUDGES.iter().map(|judge| judge.name).collect();
        Error::usage(format!("no judge is called `{name}`"), format!("judges are: {}", names.join(", ")))
    })
}

impl JudgeDefinition {
    /// Makes the judge with settings over its defaults.
    ///
    /// # Errors
    /// Settings that it does not have, or values that it does not take.
    pub fn make(&self, settings: &[(String, Value)]) -> Result<Made> {
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        (self.build)(&Parameters::of(format!("judge {}", self.name), self.parameters, settings)?)
    }
}

/// Makes judges by their names. A setting `judge.key` is for that judge, and `key` for every judge that
/// has such a parameter.
///
/// ```
/// use meed_pipelines::judges::make_judges;
/// let settings = [("numeric.relative".to_owned(), 1e-3.into())];
/// let judges = make_judges(&["numeric", "calculator"], &settings)?;
/// assert_eq!(judges[0].parameters()["relative"], 1e-3);
/// assert_eq!(judges[1].level(), "step");
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// Names that are no judges; settings that none of them has, or of a judge that is not asked for.
pub fn make_judges(names: &[&str], settings: &[(String, Value)]) -> Result<Made> {
    let chosen: Vec<&JudgeDefinition> = names.iter().map(|name| find_judge(name)).collect::<Result<_>>()?;
    let has = |judge: &JudgeDefinition, key: &str| judge.parameters.iter().any(|known| known.name == key);
    for (full_key, _) in settings {
        let taken = match full_key.split_once('.') {
            Some((judge, key)) => chosen.iter().any(|known| known.name == judge && has(known, key)),
            None => chosen.iter().any(|judge| has(judge, full_key)),
        };
        if !taken {
            let known = chosen.iter().flat_map(|judge| {
                judge.parameters.iter().map(|parameter| format!("{}.{}", judge.name, parameter.name))
            });
            let known: Vec<String> = known.collect();
            return Err(Error::usage(
                format!("no parameter `{full_key}` in {}", names.join(", ")),
                match known.is_empty() {
                    true => "these judges have no parameters".to_owned(),
                    false => format!("parameters are: {}", known.join(", ")),
                },
            ));
        }
    }
    let mut judges = Vec::new();
    for judge in chosen {
        let own = settings.iter().filter_map(|(full_key, value)| match full_key.split_once('.') {
            Some((name, key)) => (name == judge.name).then(|| (key.to_owned(), value.clone())),
            None => has(judge, full_key).then(|| (full_key.clone(), value.clone())),
        });
        judges.extend(judge.make(&own.collect::<Vec<_>>())?);
    }
    Ok(judges)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a judge needs to be set.
    fn needed(name: &str) -> Vec<(String, Value)> {
        match name {
            "regex" => vec![("pattern".into(), "^a".into())],
            "json_schema" => vec![("schema".into(), serde_json::json!({"type": "object"}))],
            _ => Vec::new(),
        }
    }

    #[test]
    fn names_are_unique_and_every_judge_is_made() {
        let mut names: Vec<String> = Vec::new();
        for definition in JUDGES {
            let judges = definition.make(&needed(definition.name));
            let judges = judges.unwrap_or_else(|error| panic!("{}: {error}", definition.name));
            assert_eq!(judges.iter().any(|judge| judge.asks_policy()), definition.asks_policy);
            names.extend(judges.iter().map(|judge| judge.name().to_owned()));
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "scores are told apart by the names of judges");
    }

    #[test]
    fn settings_find_their_judge() {
        let set = |key: &str, value: Value| vec![(key.to_owned(), value)];
        let both = make_judges(&["exact", "numeric"], &set("answer", "last_line".into())).unwrap();
        assert!(both.iter().all(|judge| judge.parameters()["answer"] == "last_line"));
        let one = make_judges(&["exact", "numeric"], &set("exact.answer", "boxed".into())).unwrap();
        assert_eq!(
            (&one[0].parameters()["answer"], &one[1].parameters()["answer"]),
            (&"boxed".into(), &"whole".into())
        );
        for (names, key) in
            [(&["exact"][..], "relative"), (&["exact"], "numeric.relative"), (&["calculator"], "x")]
        {
            assert!(make_judges(names, &set(key, 1.into())).is_err(), "{key}");
        }
        let error = find_judge("exakt").unwrap_err();
        assert!(error.hint().contains("exact, json_schema"), "{}", error.hint());
        assert!(find_judge("regex").unwrap().make(&[]).is_err(), "a pattern is needed");
    }
}
