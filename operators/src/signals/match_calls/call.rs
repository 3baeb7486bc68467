//! A call of a tool, as policies, environments and data sets write it, and how alike two of them are.

use serde_json::{Map, Value};

/// A call of a tool: its name and its arguments by parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Name of the tool.
    pub name: String,
    /// Arguments by parameter.
    pub arguments: Map<String, Value>,
}

impl ToolCall {
    /// The calls in a text; `None` where it holds none.
    ///
    /// A call is a JSON object with `name` and `arguments`, `parameters` or `kwargs`, perhaps inside
    /// `function` and with the arguments as JSON text, or it is spelt `name({...})`. A JSON list holds
    /// several.
    ///
    /// ```
    /// use meed_operators::signals::ToolCall;
    /// let calls = ToolCall::read(r#"[{"name": "f", "parameters": {"a": 1}}, "g({})"]"#).unwrap();
    /// assert_eq!((calls.len(), calls[0].name.as_str(), calls[1].name.as_str()), (2, "f", "g"));
    /// assert_eq!(ToolCall::read("f({\"a\":1})").unwrap()[0], calls[0]);
    /// assert!(ToolCall::read("Your flight (HAT136) is booked.").is_none());
    /// ```
    pub fn read(text: &str) -> Option<Vec<ToolCall>> {
        match serde_json::from_str(text) {
            Ok(Value::Array(calls)) => calls.iter().map(ToolCall::of).collect(),
            Ok(call) => ToolCall::of(&call).map(|call| vec![call]),
            Err(_) => ToolCall::spelt(text).map(|call| vec![call]),
        }
    }

    fn of(value: &Value) -> Option<ToolCall> {
        if let Value::String(text) = value {
            return ToolCall::spelt(text);
        }
        let call = value.get("function").filter(|call| call.is_object()).unwrap_or(value);
        let name = call.get("name")?.as_str()?.to_owned();
        let arguments = ["arguments", "parameters", "kwargs"].iter().find_map(|key| call.get(key));
        let arguments = match arguments {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(arguments)) => arguments.clone(),
            Some(Value::String(text)) => serde_json::from_str(text).ok()?,
            Some(_) => return None,
        };
        Some(ToolCall { name, arguments })
    }

    fn spelt(text: &str) -> Option<ToolCall> {
        let (name, arguments) = text.trim().strip_suffix(')')?.split_once('(')?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return None;
        }
        Some(ToolCall { name: name.to_owned(), arguments: serde_json::from_str(arguments).ok()? })
    }

    /// How much of a gold call this one has: 0 for another tool, else `(1 + J(parameters) + arguments in
    /// common) / (2 + gold parameters)`, with `J` the parameters in common over those of either. Names of
    /// tools are compared without case.
    ///
    /// ```
    /// use meed_operators::signals::ToolCall;
    /// let call = |text| ToolCall::read(text).unwrap().remove(0);
    /// let (own, gold) = (call(r#"Search({"q":"x","k":3,"lang":"en"})"#), call(r#"search({"q":"x","k":5})"#));
    /// assert_eq!(own.similarity(&gold), (1.0 + 2.0 / 3.0 + 1.0) / 4.0);
    /// ```
    pub fn similarity(&self, gold: &ToolCall) -> f64 {
        if self.name.to_lowercase() != gold.name.to_lowercase() {
            return 0.0;
        }
        let (own, wanted) = (&self.arguments, &gold.arguments);
        let shared = own.keys().filter(|key| wanted.contains_key(*key)).count();
        let either = own.len() + wanted.len() - shared;
        let overlap = if either == 0 { 1.0 } else { shared as f64 / either as f64 };
        let equal = wanted.iter().filter(|(key, value)| own.get(*key).is_some_and(|own| same(own, value)));
        (1.0 + overlap + equal.count() as f64) / (2.0 + wanted.len() as f64)
    }
}

/// Equal values; 1 and 1.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> ToolCall {
        ToolCall::read(text).unwrap_or_default().remove(0)
    }

    #[test]
    fn every_spelling_is_read() {
        let wanted = call(r#"book({"seats":[1,2],"to":"SEA"})"#);
        for text in [
            r#"{"name": "book", "arguments": {"to": "SEA", "seats": [1, 2]}}"#,
            r#"{"name": "book", "kwargs": {"to": "SEA", "seats": [1, 2]}}"#,
            r#"{"type": "function", "function": {"name": "book", "arguments": "{\"to\":\"SEA\",\"seats\":[1,2]}"}}"#,
        ] {
            assert_eq!(call(text), wanted, "{text}");
        }
        assert_eq!(call(r#"{"name": "list"}"#), call("list({})"));
        assert_eq!(ToolCall::read("[]"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_call_is_none() {
        for text in
            ["", "a", "3", "say (hello)", "f(not json)", "[1]", r#"{"arguments": {}}"#, r#"["f({})", "g"]"#]
        {
            assert_eq!(ToolCall::read(text), None, "{text}");
        }
    }

    #[test]
    fn similarity_of_parameters_and_arguments() {
        assert_eq!(call("f({})").similarity(&call("F({})")), 1.0);
        assert_eq!(call("f({})").similarity(&call("g({})")), 0.0);
        assert_eq!(call(r#"f({"a":1})"#).similarity(&call("f({})")), 0.5);
        assert_eq!(call("f({})").similarity(&call(r#"f({"a":1})"#)), 1.0 / 3.0);
        assert_eq!(call(r#"f({"a":[1.0]})"#).similarity(&call(r#"f({"a":[1]})"#)), 1.0);
        assert_eq!(call(r#"f({"a":"1"})"#).similarity(&call(r#"f({"a":1})"#)), 2.0 / 3.0);
    }
}
