//! Address templates: text with `{macro}` names, compiled once and rendered for every click.
//!
//! Each value is percent-encoded so far that it can only ever be one value: it adds no
//! parameter, path segment, fragment or header.
//! Not here: which schemes and hosts a template may have (`web_address::check_landing_page`).

use super::encoding;
use super::verdict::words;
use std::borrow::Cow;

mod query;
#[cfg(test)]
mod tests;

pub use query::{append_parameter, remove_parameter};

words! {
    /// What a template can name (wire.md 3). Closed.
    Macro {
        /// The click's id.
        ClickId = "click_id",
        /// The campaign's number.
        CampaignId = "campaign_id",
        /// The link's number.
        RefId = "ref_id",
        /// The affiliate's number.
        AffiliateId = "affiliate_id",
        /// The advertiser's number.
        AdvertiserId = "advertiser_id",
        /// The first sub-id.
        Sub1 = "sub1",
        /// The second sub-id.
        Sub2 = "sub2",
        /// The third sub-id.
        Sub3 = "sub3",
        /// The fourth sub-id.
        Sub4 = "sub4",
        /// The fifth sub-id.
        Sub5 = "sub5",
        /// The sixth sub-id.
        Sub6 = "sub6",
        /// The seventh sub-id.
        Sub7 = "sub7",
        /// The eighth sub-id.
        Sub8 = "sub8",
        /// The ninth sub-id.
        Sub9 = "sub9",
        /// The tenth sub-id.
        Sub10 = "sub10",
        /// The traffic's source.
        Source = "source",
        /// The affiliate's own click id.
        ExternalClickId = "external_click_id",
        /// The visitor's country, two letters.
        Country = "country",
        /// The visitor's kind of device.
        Device = "device",
        /// The visitor's operating system.
        Os = "os",
        /// The visitor's browser.
        Browser = "browser",
        /// The page that the visitor came from.
        Referer = "referer",
        /// The visitor's user agent.
        UserAgent = "user_agent",
        /// The click's time in Unix seconds.
        Timestamp = "timestamp",
        /// A random number.
        Random = "random",
    }
}

/// Other names of macros.
const ALIASES: &[(&str, Macro)] = &[
    ("transaction_id", Macro::ClickId),
    ("offer_id", Macro::CampaignId),
    ("offer", Macro::CampaignId),
    ("publisher_id", Macro::AffiliateId),
    ("publisher", Macro::AffiliateId),
    ("aid", Macro::AdvertiserId),
    ("sub_id", Macro::Sub1),
    ("sub_id_2", Macro::Sub2),
    ("sub_id_3", Macro::Sub3),
    ("sub_id_4", Macro::Sub4),
    ("sub_id_5", Macro::Sub5),
    ("sub_id_6", Macro::Sub6),
    ("sub_id_7", Macro::Sub7),
    ("sub_id_8", Macro::Sub8),
    ("sub_id_9", Macro::Sub9),
    ("sub_id_10", Macro::Sub10),
    ("external_transaction_id", Macro::ExternalClickId),
    ("unix_time", Macro::Timestamp),
];

impl Macro {
    /// The macro of a name or alias, without braces. Case-sensitive.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_word(name).or_else(|| {
            ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, meaning)| *meaning)
        })
    }

    /// For a sub-id its index from 0.
    pub fn sub_index(self) -> Option<usize> {
        const SUBS: [Macro; 10] = [
            Macro::Sub1,
            Macro::Sub2,
            Macro::Sub3,
            Macro::Sub4,
            Macro::Sub5,
            Macro::Sub6,
            Macro::Sub7,
            Macro::Sub8,
            Macro::Sub9,
            Macro::Sub10,
        ];
        SUBS.iter().position(|sub| *sub == self)
    }
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateFault {
    /// A name that is no macro.
    UnknownMacro {
        /// The name as written, without braces.
        name: String,
        /// The known name that is closest to it.
        nearest: &'static str,
    },
    /// An opening brace without a closing one.
    Unclosed,
}

impl TemplateFault {
    /// What to do about it, for a person.
    pub fn message(&self) -> String {
        match self {
            Self::UnknownMacro { name, nearest } => {
                format!("There is no macro {{{name}}}; the nearest is {{{nearest}}}.")
            }
            Self::Unclosed => "An opening brace has no closing one.".to_owned(),
        }
    }
}

/// A compiled template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Literal text, in an address percent-encoded where it has to be.
    Text(String),
    /// A value; in a path, one that would be a dot segment is left out.
    Value { name: Macro, is_in_path: bool },
    /// What separates a parameter from the query before it, whose last value may be empty.
    Separator,
}

/// Compiles a template that is being saved: what is not a macro is a fault.
pub fn compile(text: &str) -> Result<Template, TemplateFault> {
    compile_with(text, Err)
}

/// Compiles a template that was saved before: unknown macros are empty, and a brace that opens
/// nothing is text.
pub fn compile_leniently(text: &str) -> Template {
    compile_with(text, |_| Ok::<(), std::convert::Infallible>(())).unwrap_or_default()
}

/// The same for a text that is encoded as a whole when it is rendered
/// ([`Template::render_plain_into`]): its literals stay as they are.
pub fn compile_plain_leniently(text: &str) -> Template {
    let builder = Builder { is_plain: true, ..Builder::default() };
    let judge = |_| Ok::<(), std::convert::Infallible>(());
    compile_into(builder, text, judge).unwrap_or_default()
}

/// Compiles an address; `judge` says whether a fault ends it.
fn compile_with<E>(
    text: &str,
    judge: impl Fn(TemplateFault) -> Result<(), E>,
) -> Result<Template, E> {
    compile_into(Builder::default(), text, judge)
}

fn compile_into<E>(
    mut builder: Builder,
    text: &str,
    judge: impl Fn(TemplateFault) -> Result<(), E>,
) -> Result<Template, E> {
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('{') {
        builder.text(literal);
        let Some((name, tail)) = after.split_once('}') else {
            judge(TemplateFault::Unclosed)?;
            builder.text("{");
            rest = after;
            continue;
        };
        match Macro::named(name) {
            Some(name) => builder.value(name),
            None => judge(TemplateFault::UnknownMacro {
                name: name.chars().take(64).collect(),
                nearest: nearest_name(name),
            })?,
        }
        rest = tail;
    }
    builder.text(rest);
    Ok(Template { pieces: builder.pieces })
}

/// Collects pieces and knows whether the path has ended.
#[derive(Default)]
struct Builder {
    pieces: Vec<Piece>,
    is_behind_path: bool,
    /// Literals are not encoded.
    is_plain: bool,
}

impl Builder {
    fn text(&mut self, literal: &str) {
        self.is_behind_path |= literal.contains(['?', '#']);
        if literal.is_empty() {
            return;
        }
        if !matches!(self.pieces.last(), Some(Piece::Text(_))) {
            self.pieces.push(Piece::Text(String::new()));
        }
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            if self.is_plain {
                text.push_str(literal);
            } else {
                encoding::encode_unless(text, literal, encoding::is_address_byte);
            }
        }
    }

    fn value(&mut self, name: Macro) {
        self.pieces.push(Piece::Value { name, is_in_path: !self.is_behind_path });
    }
}

impl Template {
    /// Whether a macro occurs in the template, under any of its names.
    pub fn mentions(&self, wanted: Macro) -> bool {
        self.macros().any(|name| name == wanted)
    }

    /// The macros of the template in order, repeats included.
    pub fn macros(&self) -> impl Iterator<Item = Macro> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value { name, .. } => Some(*name),
            Piece::Text(_) | Piece::Separator => None,
        })
    }

    /// Appends the template with every macro replaced by its percent-encoded value;
    /// one without a value is empty.
    pub fn render_into<'v>(
        &self,
        out: &mut String,
        values: &impl Fn(Macro) -> Option<Cow<'v, str>>,
    ) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Separator => query::separate(out),
                Piece::Value { name, is_in_path } => {
                    let value = values(*name).unwrap_or_default();
                    // `.` needs no encoding, but as a whole segment it would change the path.
                    if !(*is_in_path && matches!(value.as_ref(), "." | "..")) {
                        encoding::encode_into(out, &value);
                    }
                }
            }
        }
    }
}

impl Template {
    /// Appends the template with every macro replaced by its value as it is, for a place that
    /// encodes the whole afterwards (the value of a deep-link parameter).
    pub fn render_plain_into<'v>(
        &self,
        out: &mut String,
        values: &impl Fn(Macro) -> Option<Cow<'v, str>>,
    ) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Separator => query::separate(out),
                Piece::Value { name, .. } => out.push_str(&values(*name).unwrap_or_default()),
            }
        }
    }
}

/// The known macro or alias with the fewest differing letters.
fn nearest_name(name: &str) -> &'static str {
    let name: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    Macro::ALL
        .iter()
        .map(|known| known.as_str())
        .chain(ALIASES.iter().map(|(alias, _)| *alias))
        .min_by_key(|known| edit_distance(&name, known))
        .unwrap_or("click_id")
}

/// How many letters have to be inserted, removed or replaced to make one text of the other.
pub fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (index, a) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(right.chars()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            before = replaced.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}
