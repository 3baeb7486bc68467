//! Text becomes tokens.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use meed_connectors::import::{ImportOptions, Tokenization};
use serde_json::{Value, json};

use crate::support::{import, integers, list, numbers, text, written};

#[test]
fn a_tokenizer_decides_the_tokens_and_the_spans() {
    let words = ["[UNK]", "a", "b", "A:", "2", "[END]"];
    let vocabulary: BTreeMap<&str, usize> = words.iter().enumerate().map(|(id, word)| (*word, id)).collect();
    let tokenizer = json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]"},
        "added_tokens": [{"id": 5, "content": "[END]", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "normalizer": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[END]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"[END]": {"id": "[END]", "ids": [5], "tokens": ["[END]"]}}},
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    let options =
        ImportOptions { tokenizer: Tokenization::from_file(&path).unwrap(), ..ImportOptions::default() };
    let line = r#"{"question": "a b", "ground_truth": "A: 2", "m": {"is_correct": true, "solution": "a b b a zzz\nA: 2"}}"#;
    let input = written(&folder, "a.jsonl", line);
    let (batches, _) = import("gsm8k", &[input], &options).unwrap();
    assert_eq!(integers(&batches[0], "token_ids", 0), [1, 2, 2, 1, 0, 3, 4]);
    assert_eq!(integers(&batches[0], "step_ends", 0), [5, 7]);
    assert_eq!(integers(&batches[0], "prompt_ids", 0), [1, 2]);
    assert_eq!(list(&batches[0], "token_mask").value(0).as_boolean().true_count(), 7);

    std::fs::write(&path, "{}").unwrap();
    for broken in [path, folder.path().join("absent.json")] {
        let error = Tokenization::from_file(&broken).unwrap_err();
        assert!(error.to_string().contains(&broken.display().to_string()), "{error}");
    }
}

#[test]
fn text_alone_becomes_tokens() {
    let lines = [
        json!({"group_id": "g", "rollout_id": "a", "prompt": "?", "response": "h\u{e9}", "reward": 1}),
        json!({"group_id": "g", "rollout_id": "b", "step_texts": ["ab", "", "c"],
            "step_kinds": ["policy", "think", "observation"], "step_doubts": [1, 2, 0.5]}),
        json!({"group_id": "g", "rollout_id": "c", "token_ids": [7, 8], "token_mask": [true, true],
            "response": "xyz"}),
        json!({"group_id": "g", "rollout_id": "d", "token_mask": [true, false, true], "response": "xy"}),
        json!({"group_id": "g", "rollout_id": "e", "step_rewards": [0, 1], "response": "xy"}),
    ];
    let content: Vec<String> = lines.iter().map(Value::to_string).collect();
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "a.jsonl", content.join("\n"));
    let options = ImportOptions { iteration: 7, ..ImportOptions::default() };
    let (batches, report) = import("jsonl", &[input], &options).unwrap();
    let batch = &batches[0];
    let mask = |row| list(batch, "token_mask").value(row).as_boolean().iter().flatten().collect::<Vec<_>>();
    assert_eq!(integers(batch, "token_ids", 0), [104, 195, 169]);
    assert_eq!(integers(batch, "prompt_ids", 0), [63]);
    assert_eq!(mask(0), [true; 3]);
    assert!(list(batch, "step_ends").is_null(0));
    assert_eq!(integers(batch, "token_ids", 1), [97, 98, 99]);
    assert_eq!(integers(batch, "step_ends", 1), [2, 2, 3]);
    assert_eq!(mask(1), [true, true, false]);
    assert_eq!(numbers(batch, "step_doubts", 1), [Some(1.0), Some(2.0), Some(0.5)]);
    assert_eq!(integers(batch, "token_ids", 2), [7, 8]);
    assert!(list(batch, "token_ids").is_null(3));
    assert_eq!(mask(3), [true, false, true]);
    assert!(list(batch, "token_ids").is_null(4));
    assert_eq!(integers(batch, "step_ends", 4), [1, 2]);
    assert_eq!(report.unmapped["response beside steps without texts, not tokenised"], 1);
    for row in 0..5 {
        assert_eq!(text(batch, "status", row), Some("complete"));
        assert_eq!(batch.column_by_name("iteration").unwrap().as_primitive::<Int64Type>().value(row), 7);
    }
}
