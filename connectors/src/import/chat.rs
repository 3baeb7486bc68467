//! Messages of a chat as steps: roles, texts, tool calls and what the agent has seen so far.

use meed_operators::{Error, Place, Result};
use serde_json::{Map, Value};

use super::Step;
use super::course::Course;
use super::imported::ReportHandle;
use super::lines::type_of;

/// A chat, split into its prompt and the steps after it.
pub(super) struct Chat {
    /// The opening system and user messages, with a blank line between them.
    pub prompt: String,
    /// Everything else, in order.
    pub steps: Vec<Step>,
}

impl Chat {
    /// Reads OpenAI-style messages.
    ///
    /// An assistant message gives a `policy` step for its text and a `tool_call` step for each call;
    /// tool results are `observation`, the rest is `user` and `system`. The action of a text is the
    /// text itself without white space around it, that of a call is [`canonical_call`]. The state
    /// before a step tells the prompt and all user messages and observations so far; see [`Course`].
    pub fn new(messages: &[Value], place: &Place, report: &ReportHandle) -> Result<Chat> {
        let mut chat = Reader { prompt: String::new(), course: Course::default(), opening: true };
        for (index, message) in messages.iter().enumerate() {
            chat.message(message, report).map_err(|(message, hint)| {
                Error::data(place.clone(), format!("message {index}: {message}"), hint)
            })?;
        }
        Ok(Chat { prompt: chat.prompt, steps: chat.course.steps })
    }
}

/// A tool call in one spelling: `name({"a":1,"b":2})`, with sorted keys and no white space.
///
/// ```
/// use meed_connectors::import::canonical_call;
/// let arguments = serde_json::json!({"b": [1, 2], "a": {"d": 1, "c": 2}});
/// assert_eq!(canonical_call("f", arguments), r#"f({"a":{"c":2,"d":1},"b":[1,2]})"#);
/// ```
pub fn canonical_call(name: &str, mut arguments: Value) -> String {
    arguments.sort_all_objects();
    format!("{name}({arguments})")
}

/// What is wrong with a message, and what to do.
type Fault = (String, &'static str);

struct Reader {
    prompt: String,
    course: Course,
    opening: bool,
}

impl Reader {
    fn message(&mut self, message: &Value, report: &ReportHandle) -> Result<(), Fault> {
        let Value::Object(message) = message else {
            let found = type_of(message);
            return Err((format!("{found} where a message is expected"), ROLE_HINT));
        };
        for key in message.keys() {
            if !matches!(key.as_str(), "role" | "content" | "tool_calls" | "name") {
                report.unmapped(&format!("message key `{key}`"));
            }
        }
        let text = content(message, report)?;
        let kind = match message.get("role").and_then(Value::as_str) {
            Some("system" | "developer") => "system",
            Some("user") => "user",
            Some("tool" | "function") => "observation",
            Some("assistant") => return self.assistant(message, text, report),
            other => return Err((format!("role {other:?} is not known"), ROLE_HINT)),
        };
        self.opening &= kind != "observation";
        let text = text.unwrap_or_default();
        if !self.opening {
            self.course.push(Step::new(kind, text));
            return Ok(());
        }
        self.course.show(kind, &text);
        if self.prompt.is_empty() {
            self.prompt = text;
        } else {
            self.prompt.push_str("\n\n");
            self.prompt.push_str(&text);
        }
        Ok(())
    }

    fn assistant(
        &mut self,
        message: &Map<String, Value>,
        text: Option<String>,
        report: &ReportHandle,
    ) -> Result<(), Fault> {
        self.opening = false;
        let calls = match message.get("tool_calls") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(calls)) => calls.as_slice(),
            Some(other) => return Err((format!("tool_calls is {}", type_of(other)), CALL_HINT)),
        };
        // A message without a call is a step even if it is empty: it is what the policy did.
        let text = text.filter(|text| !text.is_empty() || calls.is_empty());
        if text.is_some() || calls.is_empty() {
            let text = text.unwrap_or_default();
            let action = Some(text.trim()).filter(|action| !action.is_empty());
            let action = action.map(str::to_owned);
            self.course.push(Step { action, ..Step::new("policy", text) });
        }
        for call in calls {
            let (text, action) = tool_call(call, report)?;
            let action = Some(action);
            self.course.push(Step { action, ..Step::new("tool_call", text) });
        }
        Ok(())
    }
}

const ROLE_HINT: &str = "messages need a role: system, user, assistant or tool";
const CALL_HINT: &str = "a tool call needs a `function` with a `name` and `arguments`";

/// The text of a message: a string, or the text parts of an array.
fn content(message: &Map<String, Value>, report: &ReportHandle) -> Result<Option<String>, Fault> {
    match message.get("content") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Array(parts)) => {
            let mut texts = Vec::new();
            for part in parts {
                match part.get("text").and_then(Value::as_str) {
                    Some(text) => texts.push(text),
                    None => report.unmapped("message part without text"),
                }
            }
            Ok(Some(texts.concat()))
        }
        Some(other) => Err((format!("content is {}", type_of(other)), "write it as text")),
    }
}

/// Text and canonical action of a call. Arguments come as an object, or as JSON inside a string,
/// as the model wrote it; what is no JSON stays as it is.
fn tool_call(call: &Value, report: &ReportHandle) -> Result<(String, String), Fault> {
    let function = call.get("function").unwrap_or(&Value::Null);
    let Some(name) = function.get("name").and_then(Value::as_str) else {
        return Err(("a tool call has no name".to_owned(), CALL_HINT));
    };
    if call.get("id").is_some() {
        report.unmapped("id of a tool call");
    }
    Ok(match function.get("arguments") {
        Some(Value::String(written)) => (format!("{name}({written})"), written_call(name, written, report)),
        Some(arguments) => {
            let text = format!("{name}({arguments})");
            (text, canonical_call(name, arguments.clone()))
        }
        None => {
            let text = format!("{name}({{}})");
            (text.clone(), text)
        }
    })
}

/// The call of a name with arguments as the model wrote them: canonical where they are JSON.
pub(super) fn written_call(name: &str, written: &str, report: &ReportHandle) -> String {
    match serde_json::from_str(written) {
        Ok(arguments) => canonical_call(name, arguments),
        Err(_) => {
            report.unmapped("arguments that are not JSON, kept as written");
            format!("{name}({})", written.trim())
        }
    }
}
