//! Verifiers by name: their parameters and defaults.

use std::sync::Arc;

use meed_operators::judge::Judge;
use meed_operators::judge::verifiers::{
    Answer, Calculator, Exact, JsonSchema, MultipleChoice, Numeric, Passed, Pattern,
};
use meed_operators::{Error, Result};
use serde_json::Value;

use super::{JudgeDefinition, Made};
use crate::parameters::{Parameter, Parameters, parameter};

const ANSWER: Parameter = parameter(
    "answer",
    "whole",
    "where in the response the answer stands: whole, last_line, boxed (the last `\\boxed{}`), or after the marker",
);
const MARKER: Parameter =
    parameter("marker", "null", "the answer is what follows the last occurrence of this text in its line");

fn answer(parameters: &Parameters) -> Result<Answer> {
    Answer::of(parameters.text("answer")?, parameters.text("marker")?)
}

fn one(judge: impl Judge + 'static) -> Result<Made> {
    Ok(vec![Arc::new(judge)])
}

pub(super) const CALCULATOR: JudgeDefinition = JudgeDefinition {
    name: "calculator",
    title: "annotated calculations of each step are right",
    meaning: "Per policy step: 1 where all calculations like `<<16-3-4=9>>` in its text are right, 0 where one is wrong, no opinion where there is none that is plain arithmetic. A result with decimals is right to its last digit.",
    parameters: &[parameter(
        "otherwise",
        "null",
        "the score of a step without such a calculation, for recipes that need one of every step; null: no opinion",
    )],
    asks_policy: false,
    build: |parameters| one(Calculator { otherwise: parameters.optional_number("otherwise")? }),
};

pub(super) const EXACT: JudgeDefinition = JudgeDefinition {
    name: "exact",
    title: "the answer is the reference, letter by letter",
    meaning: "1 where the answer equals `reference` but for blanks around it, else 0.",
    parameters: &[
        ANSWER,
        MARKER,
        parameter("ignore_case", "false", "capital and small letters are the same"),
        parameter("ignore_spacing", "false", "any run of blanks and line breaks is one blank"),
    ],
    asks_policy: false,
    build: |parameters| {
        one(Exact {
            answer: answer(parameters)?,
            ignore_case: parameters.boolean("ignore_case")?,
            ignore_spacing: parameters.boolean("ignore_spacing")?,
        })
    },
};

pub(super) const JSON_SCHEMA: JudgeDefinition = JudgeDefinition {
    name: "json_schema",
    title: "the answer is JSON that a schema accepts",
    meaning: "1 where the answer, or its last fenced block, is JSON that the schema accepts, else 0.",
    parameters: &[ANSWER, MARKER, parameter("schema", "null", "the JSON Schema; needed")],
    asks_policy: false,
    build: |parameters| match parameters.get("schema") {
        Value::Null => {
            Err(Error::usage("judge json_schema has no schema", "--set json_schema.schema='{..}'"))
        }
        schema => one(JsonSchema::new(answer(parameters)?, schema.clone())?),
    },
};

pub(super) const MULTIPLE_CHOICE: JudgeDefinition = JudgeDefinition {
    name: "multiple_choice",
    title: "the letter that is chosen is that of the reference",
    meaning: "1 where the answer chooses the letter of `reference`, else 0. The chosen letter is the answer itself where it is only a letter; else the last capital after `answer`, `option` or `choice`; else the last in brackets or before a bracket or point at the begin of a line.",
    parameters: &[ANSWER, MARKER, parameter("letters", "ABCDE", "the choices")],
    asks_policy: false,
    build: |parameters| one(MultipleChoice::new(answer(parameters)?, parameters.text("letters")?)?),
};

pub(super) const NUMERIC: JudgeDefinition = JudgeDefinition {
    name: "numeric",
    title: "the final number is that of the reference, within a tolerance",
    meaning: "1 where the last number of the answer is near the last number of `reference`, else 0. Numbers may have signs, decimals, exponents, thousands separators (70,000), fractions (3/4, 1 1/2, `\\frac{3}{4}`) and percent signs; 50% equals both 50 and 0.5.",
    parameters: &[
        ANSWER,
        MARKER,
        parameter("absolute", "0", "largest difference"),
        parameter(
            "relative",
            "1e-6",
            "largest difference as a share of the reference; adds to the absolute one",
        ),
    ],
    asks_policy: false,
    build: |parameters| {
        one(Numeric {
            answer: answer(parameters)?,
            absolute: parameters.number("absolute")?,
            relative: parameters.number("relative")?,
        })
    },
};

pub(super) const PASSED: JudgeDefinition = JudgeDefinition {
    name: "passed",
    title: "which unit tests the table of outputs passes",
    meaning: "Per test: 1 where the table that the response writes (lines `input -> output`, a Markdown table or a JSON object) has the test's output for its input, else 0. Tests are the columns test_inputs and test_outputs, or the list `tests` in metadata. No program is run.",
    parameters: &[parameter("level", "test", "test, or turn.test for the table of each turn")],
    asks_policy: false,
    build: |parameters| one(Passed::new(parameters.text("level")?)?),
};

pub(super) const REGEX: JudgeDefinition = JudgeDefinition {
    name: "regex",
    title: "the response, or each step, matches a regular expression",
    meaning: "1 where the text matches, else 0.",
    parameters: &[
        parameter("pattern", "null", "the regular expression, in the syntax of Rust's regex crate; needed"),
        parameter("level", "rollout", "rollout for the response, step for each policy step"),
    ],
    asks_policy: false,
    build: |parameters| match parameters.text("pattern")? {
        "" => Err(Error::usage("judge regex has no pattern", "--set regex.pattern='^yes'")),
        pattern => one(Pattern::new(pattern, parameters.text("level")?)?),
    },
};
