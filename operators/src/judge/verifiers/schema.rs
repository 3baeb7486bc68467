//! `json_schema`: the answer is JSON that a schema accepts.

use async_trait::async_trait;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;
use crate::judge::{Failure, Judge, JudgeContext, Judged};
use crate::{Error, Result};

/// 1 where the answer is JSON that the schema accepts, else 0. JSON in a fenced block (three
/// backticks) is taken out of it.
#[derive(Debug)]
pub struct JsonSchema {
    answer: Answer,
    schema: Value,
    validator: Validator,
}

impl JsonSchema {
    /// A judge of a JSON Schema. References to other files are not followed.
    ///
    /// # Errors
    /// A schema that is none.
    pub fn new(answer: Answer, schema: Value) -> Result<Self> {
        let validator = jsonschema::validator_for(&schema).map_err(|error| {
            Error::usage(format!("this is no JSON Schema: {error}"), "see json-schema.org")
        })?;
        Ok(JsonSchema { answer, schema, validator })
    }

    /// Whether a response is accepted.
    pub fn accepts(&self, response: &str) -> bool {
        let answer = self.answer.find(response).map(unfenced);
        let value = answer.and_then(|answer| serde_json::from_str::<Value>(answer).ok());
        value.is_some_and(|value| self.validator.is_valid(&value))
    }
}

/// What the last fenced block of the text holds, or the text where it has none.
fn unfenced(text: &str) -> &str {
    let Some((before, _)) = text.rsplit_once("```") else {
        return text;
    };
    let Some((_, block)) = before.rsplit_once("```") else {
        return text;
    };
    // The first line names the language.
    block.split_once('\n').map_or(block, |(_, json)| json)
}

#[async_trait]
impl Judge for JsonSchema {
    fn name(&self) -> &str {
        "json_schema"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({ "answer": self.answer.parameters(), "schema": self.schema })
    }

    fn level(&self) -> &str {
        "rollout"
    }

    fn reads(&self) -> Vec<String> {
        vec!["response".into()]
    }

    async fn judge(
        &self,
        rollout: Judged<'_>,
        _: &JudgeContext,
    ) -> std::result::Result<Vec<Option<f64>>, Failure> {
        Ok(vec![Some(f64::from(self.accepts(rollout.text("response")?)))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_found_and_checked() {
        let schema = json!({
            "type": "object",
            "required": ["answer"],
            "properties": {"answer": {"type": "integer", "minimum": 0}},
            "additionalProperties": false,
        });
        let judge = JsonSchema::new(Answer::Whole, schema).unwrap();
        assert!(judge.accepts(r#" {"answer": 3} "#));
        assert!(judge.accepts("Here it is:\n```json\n{\"answer\": 3}\n```\ndone"));
        for wrong in [r#"{"answer": -1}"#, r#"{"answer": 3, "why": 1}"#, "{", "", "3", "```\n{\n```"] {
            assert!(!judge.accepts(wrong), "{wrong}");
        }
        assert!(JsonSchema::new(Answer::Whole, json!({"type": "nonsense"})).is_err());
    }
}
