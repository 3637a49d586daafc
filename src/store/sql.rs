//! Text and parameters of a statement, written side by side.

use serde_json::Value as Json;

use super::executor::{Statement, Value};

/// A statement in the making.
#[derive(Default)]
pub(crate) struct Sql {
    parameters: Vec<Value>,
}

impl Sql {
    /// Binds a value; the result stands for it in the text, as often as needed.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
    }

    /// Binds a stored value. Only scalars are stored.
    pub(crate) fn bind_json(&mut self, value: &Json) -> String {
        let value = match value {
            Json::String(text) => Value::Text(text.clone()),
            Json::Number(number) => number.as_i64().map_or(Value::Null, Value::Integer),
            _ => Value::Null,
        };
        self.bind(value)
    }

    /// The statement.
    pub(crate) fn statement(self, text: String) -> Statement {
        Statement::new(text, self.parameters)
    }
}
