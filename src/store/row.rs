//! Rows read as structs, field by field. Readers derived by `serde` also take arrays, tell
//! duplicate fields and word errors that nobody sees, which made a tenth of the module.

use serde_json::Value;

/// A row as a JSON object, column name to value; row types read themselves from it.
pub type Row = Value;

/// A struct that can be read from a row.
pub(crate) trait Read: Sized {
    /// The struct. A row that does not fit is an error of ours; it is reported as `None` and must
    /// never be taken for an absent one.
    fn read(row: &Row) -> Option<Self>;
}

/// A column's value.
pub(crate) trait Field: Sized {
    /// The value; the outer `None` for one of another type.
    fn read(value: Option<&Value>) -> Option<Self>;
}

impl Field for String {
    fn read(value: Option<&Value>) -> Option<Self> {
        value?.as_str().map(str::to_owned)
    }
}

impl Field for i64 {
    fn read(value: Option<&Value>) -> Option<Self> {
        value?.as_i64()
    }
}

impl Field for u64 {
    fn read(value: Option<&Value>) -> Option<Self> {
        value?.as_u64()
    }
}

impl Field for u32 {
    fn read(value: Option<&Value>) -> Option<Self> {
        u64::read(value)?.try_into().ok()
    }
}

impl Field for u8 {
    fn read(value: Option<&Value>) -> Option<Self> {
        u64::read(value)?.try_into().ok()
    }
}

/// Null, or a column that the row does not have.
impl<T: Field> Field for Option<T> {
    fn read(value: Option<&Value>) -> Option<Self> {
        match value {
            None | Some(Value::Null) => Some(None),
            present => T::read(present).map(Some),
        }
    }
}

/// Defines structs whose fields are named and typed as columns are.
macro_rules! rows {
    ($($(#[$meta:meta])* $visible:vis struct $name:ident {
        $($field_visible:vis $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$meta])*
        $visible struct $name {
            $($field_visible $field: $type,)*
        }

        impl $crate::store::row::Read for $name {
            fn read(row: &$crate::store::row::Row) -> Option<Self> {
                Some(Self {
                    $($field: $crate::store::row::Field::read(row.get(stringify!($field)))?,)*
                })
            }
        }
    )*};
}
pub(crate) use rows;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    rows! {
        #[derive(Debug, PartialEq)]
        struct Sample {
            text: String,
            number: i64,
            small: u8,
            maybe: Option<u32>,
        }
    }

    #[test]
    fn a_row_that_fits_is_read() {
        let sample = |maybe| Sample { text: "a".into(), number: -1, small: 255, maybe };
        let row = json!({ "text": "a", "number": -1, "small": 255, "more": true });
        assert_eq!(Sample::read(&row), Some(sample(None)));
        let row = json!({ "text": "a", "number": -1, "small": 255, "maybe": 7 });
        assert_eq!(Sample::read(&row), Some(sample(Some(7))));
        let row = json!({ "text": "a", "number": -1, "small": 255, "maybe": null });
        assert_eq!(Sample::read(&row), Some(sample(None)));
    }

    #[test]
    fn a_row_that_does_not_fit_is_not() {
        for row in [
            json!({ "text": "a", "number": -1 }),
            json!({ "text": null, "number": -1, "small": 1 }),
            json!({ "text": "a", "number": 1.5, "small": 1 }),
            json!({ "text": "a", "number": -1, "small": 256 }),
            json!({ "text": "a", "number": -1, "small": 1, "maybe": "7" }),
            json!({ "text": "a", "number": -1, "small": 1, "maybe": -7 }),
            json!(["a", -1, 1, 7]),
            Value::Null,
        ] {
            assert_eq!(Sample::read(&row), None, "{row}");
        }
    }
}
