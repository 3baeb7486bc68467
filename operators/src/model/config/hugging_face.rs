//! `config.json` of Hugging Face models: read for Llama, Qwen2 and Qwen3, and written.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Family, ModelConfig, RopeScaling};
use crate::{Error, Place, Result};

impl ModelConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// A file that cannot be read or lacks a size, another kind of model, and features that are not
    /// computed here (sliding windows, quantisation, other activations, unknown rotations), by name.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| {
            Error::external(format!("reading {file}"), source, "a model directory has a config.json")
        })?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|source| Error::external(format!("reading {file}"), source, "the file is not JSON"))?;
        Self::from_json(&value).map_err(|error| error.in_file(&file))
    }

    /// Reads the contents of a `config.json`; where [`ModelConfig::read`] names the file, this does not.
    pub fn from_json(value: &Value) -> Result<Self> {
        let object = value.as_object().ok_or_else(|| at("", "the configuration is no JSON object"))?;
        let fields = Fields(object);
        let family = match fields.text("model_type")?.as_deref() {
            Some("llama") => Family::Llama,
            Some("qwen2") => Family::Qwen2,
            Some("qwen3") => Family::Qwen3,
            Some(other) => {
                return Err(at("model_type", format!("models of type `{other}` are not supported")));
            }
            None => return Err(at("model_type", "the type of the model is missing")),
        };
        fields.refuse_unsupported()?;
        let hidden = fields.size("hidden_size")?;
        let heads = fields.size("num_attention_heads")?;
        let default_head = if family == Family::Qwen3 { 128 } else { hidden.checked_div(heads).unwrap_or(0) };
        let bias = fields.flag("attention_bias")?.unwrap_or(false);
        let rope = fields.object("rope_parameters")?.or(fields.object("rope_scaling")?);
        let theta = match rope.map(|rope| Fields(rope).number("rope_theta")).transpose()?.flatten() {
            Some(theta) => theta,
            None => fields.number("rope_theta")?.unwrap_or(10_000.0),
        };
        let config = ModelConfig {
            family,
            hidden,
            layers: fields.size("num_hidden_layers")?,
            heads,
            key_value_heads: fields.optional_size("num_key_value_heads")?.unwrap_or(heads),
            head_dim: fields.optional_size("head_dim")?.unwrap_or(default_head),
            feed_forward: fields.size("intermediate_size")?,
            vocabulary: fields.size("vocab_size")?,
            rope_theta: theta,
            rope_scaling: rope.map_or(Ok(RopeScaling::None), |rope| Fields(rope).scaling())?,
            norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
            tied_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
            attention_bias: family == Family::Qwen2 || bias,
            output_bias: family != Family::Qwen2 && bias,
            query_key_norm: family == Family::Qwen3,
            max_positions: fields.optional_size("max_position_embeddings")?.unwrap_or(2048),
            value_head: fields.flag("value_head")?.unwrap_or(false),
            initializer_range: fields.number("initializer_range")?.unwrap_or(0.02),
        };
        config.check()?;
        Ok(config)
    }

    /// The configuration as a `config.json` that [`ModelConfig::from_json`] and transformers read.
    pub fn to_json(&self) -> Value {
        let (architecture, model_type) = match self.family {
            Family::Llama => ("LlamaForCausalLM", "llama"),
            Family::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
            Family::Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
        };
        let mut value = json!({
            "architectures": [architecture],
            "model_type": model_type,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "head_dim": self.head_dim,
            "intermediate_size": self.feed_forward,
            "vocab_size": self.vocabulary,
            "rope_theta": self.rope_theta,
            "rope_scaling": self.rope_scaling.to_json(),
            "rms_norm_eps": self.norm_eps,
            "tie_word_embeddings": self.tied_embeddings,
            "attention_bias": self.attention_bias,
            "max_position_embeddings": self.max_positions,
            "initializer_range": self.initializer_range,
            "torch_dtype": "float32",
        });
        if self.value_head {
            value["value_head"] = Value::Bool(true);
        }
        value
    }
}

impl RopeScaling {
    fn to_json(self) -> Value {
        match self {
            RopeScaling::None => Value::Null,
            RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions } => {
                json!({
                    "rope_type": "llama3",
                    "factor": factor,
                    "low_freq_factor": low_freq_factor,
                    "high_freq_factor": high_freq_factor,
                    "original_max_position_embeddings": original_max_positions,
                })
            }
        }
    }
}

fn at(field: &str, message: impl Into<String>) -> Error {
    let place = if field.is_empty() { Place::default() } else { Place::default().column(field) };
    Error::data(place, message, "Llama, Qwen2 and Qwen3 in their plain form are supported")
}

/// The fields of a JSON object, where null is absent and a wrong type is an error by name.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn get<T>(&self, name: &str, what: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| at(name, format!("{value} is no {what}"))),
        }
    }

    fn optional_size(&self, name: &str) -> Result<Option<usize>> {
        self.get(name, "size", |value| value.as_u64().and_then(|size| usize::try_from(size).ok()))
    }

    fn size(&self, name: &str) -> Result<usize> {
        self.optional_size(name)?.ok_or_else(|| at(name, "this size is missing"))
    }

    fn number(&self, name: &str) -> Result<Option<f64>> {
        self.get(name, "number", Value::as_f64)
    }

    fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.get(name, "truth value", Value::as_bool)
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        self.get(name, "text", |value| value.as_str().map(str::to_owned))
    }

    fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>> {
        self.get(name, "object", Value::as_object)
    }

    fn refuse_unsupported(&self) -> Result<()> {
        let activation = self.text("hidden_act")?.unwrap_or_else(|| "silu".into());
        if activation != "silu" && activation != "swish" {
            return Err(at("hidden_act", format!("the activation `{activation}` is not supported")));
        }
        for (name, what) in [("use_sliding_window", "sliding windows"), ("mlp_bias", "feed-forward biases")] {
            if self.flag(name)?.unwrap_or(false) {
                return Err(at(name, format!("{what} are not supported")));
            }
        }
        if self.0.get("quantization_config").is_some_and(|value| !value.is_null()) {
            return Err(at("quantization_config", "quantised weights are not supported"));
        }
        if let Some(share) = self.number("partial_rotary_factor")?.filter(|share| *share != 1.0) {
            return Err(at("partial_rotary_factor", format!("rotating {share} of a head is not supported")));
        }
        let kinds = self.get("layer_types", "list of layer types", Value::as_array)?;
        for kind in kinds.into_iter().flatten() {
            if kind.as_str() != Some("full_attention") {
                return Err(at("layer_types", format!("layers of type {kind} are not supported")));
            }
        }
        Ok(())
    }

    fn scaling(&self) -> Result<RopeScaling> {
        let kind = match self.text("rope_type")? {
            Some(kind) => Some(kind),
            None => self.text("type")?,
        };
        let required = |name: &str| {
            let value =
                self.number(name)?.ok_or_else(|| at("rope_scaling", format!("`{name}` is missing")))?;
            if value.is_finite() && value > 0.0 {
                Ok(value)
            } else {
                Err(at("rope_scaling", format!("`{name}` is {value}, not above 0")))
            }
        };
        match kind.as_deref() {
            None | Some("default") => Ok(RopeScaling::None),
            Some("linear") => Ok(RopeScaling::Linear { factor: required("factor")? }),
            Some("llama3") => Ok(RopeScaling::Llama3 {
                factor: required("factor")?,
                low_freq_factor: required("low_freq_factor")?,
                high_freq_factor: required("high_freq_factor")?,
                original_max_positions: required("original_max_position_embeddings")?,
            }),
            Some(other) => Err(at("rope_scaling", format!("the rotation `{other}` is not supported"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qwen3() -> Value {
        json!({
            "model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 32, "intermediate_size": 128, "vocab_size": 50,
            "rope_theta": 1_000_000, "rope_scaling": null, "rms_norm_eps": 1e-6, "hidden_act": "silu",
            "tie_word_embeddings": true, "use_sliding_window": false, "sliding_window": null,
            "max_position_embeddings": 512
        })
    }

    #[test]
    fn families_have_their_own_conventions() {
        let config = ModelConfig::from_json(&qwen3()).unwrap();
        assert_eq!((config.query_width(), config.key_value_width()), (128, 64));
        assert!(config.query_key_norm && !config.attention_bias && config.tied_embeddings);
        let mut qwen2 = qwen3();
        qwen2["model_type"] = "qwen2".into();
        let config = ModelConfig::from_json(&qwen2).unwrap();
        assert!(config.attention_bias && !config.output_bias && !config.query_key_norm);
        let mut llama = qwen3();
        llama["model_type"] = "llama".into();
        llama["attention_bias"] = true.into();
        llama["head_dim"] = Value::Null;
        llama["num_key_value_heads"] = Value::Null;
        let config = ModelConfig::from_json(&llama).unwrap();
        assert!(config.attention_bias && config.output_bias);
        assert_eq!((config.head_dim, config.key_value_heads), (16, 4));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for model_type in ["llama", "qwen2", "qwen3"] {
            let mut value = qwen3();
            value["model_type"] = model_type.into();
            value["rope_scaling"] = json!({
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192
            });
            let config = ModelConfig::from_json(&value).unwrap().with_value_head();
            assert_eq!(ModelConfig::from_json(&config.to_json()).unwrap(), config);
        }
    }

    #[test]
    fn the_newer_place_of_the_rotation_is_read() {
        let mut value = qwen3();
        value["rope_theta"] = Value::Null;
        value["rope_parameters"] = json!({"rope_type": "default", "rope_theta": 5000.0});
        assert_eq!(ModelConfig::from_json(&value).unwrap().rope_theta, 5000.0);
    }

    #[test]
    fn unsupported_features_are_refused_by_name() {
        for (field, value, named) in [
            ("model_type", json!("mamba"), "mamba"),
            ("hidden_act", json!("gelu"), "gelu"),
            ("use_sliding_window", json!(true), "sliding windows"),
            ("layer_types", json!(["full_attention", "sliding_attention"]), "sliding_attention"),
            ("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0}), "yarn"),
            ("rope_scaling", json!({"type": "linear"}), "factor"),
            ("quantization_config", json!({"bits": 4}), "quantised"),
            ("partial_rotary_factor", json!(0.5), "0.5"),
            ("mlp_bias", json!(true), "feed-forward biases"),
            ("hidden_size", json!("big"), "\"big\" is no size"),
            ("vocab_size", Value::Null, "vocab_size"),
            ("num_key_value_heads", json!(3), "no multiple"),
        ] {
            let mut config = qwen3();
            config[field] = value;
            let message = ModelConfig::from_json(&config).unwrap_err().to_string();
            assert!(message.contains(named), "{field}: {message}");
        }
    }
}
