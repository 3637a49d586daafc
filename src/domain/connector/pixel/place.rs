//! Where in a piece of HTML a value stands, read as browsers do.

use super::script::Script;

/// Where a value stands, and thereby how it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Text, or a quoted attribute.
    Html,
    /// The path of an address in an attribute.
    Path,
    /// The query or fragment of one.
    Query,
    /// A string, template, comment or regular expression of JavaScript.
    Text,
    /// JavaScript's code.
    Code,
}

/// Elements whose content browsers do not read as HTML, but for scripts.
const RAW: &[&str] =
    &["style", "xmp", "iframe", "noembed", "noframes", "plaintext", "textarea", "title"];

/// Attributes that hold addresses.
const ADDRESSES: &[&str] = &[
    "src",
    "href",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "cite",
    "ping",
    "xlink:href",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Text,
    /// Behind `<`.
    Open,
    /// Behind `</`.
    EndOpen,
    /// Behind `<!`, and what was read since.
    Declaration(String),
    Comment(String),
    Bogus,
    TagName,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Quoted(char),
    Unquoted,
    Script,
    Raw,
}

/// A reader of HTML, character by character.
pub(super) struct Scanner {
    state: State,
    tag: String,
    is_end: bool,
    attribute: String,
    /// The attribute's value so far.
    value: String,
    script: Script,
    /// The last characters of a script or raw element, in lower case.
    tail: String,
    /// Whether a script began a comment of HTML, behind which browsers disagree where it ends.
    is_unclear: bool,
}

/// How many characters may be the end of an element: `</plaintext`.
const MAX_TAIL: usize = 12;

impl Scanner {
    /// For HTML, or for JavaScript alone.
    pub(super) fn new(is_script: bool) -> Self {
        Self {
            state: if is_script { State::Script } else { State::Text },
            tag: if is_script { "script".to_owned() } else { String::new() },
            is_end: false,
            attribute: String::new(),
            value: String::new(),
            script: Script::new(),
            tail: String::new(),
            is_unclear: false,
        }
    }

    /// Where a value would stand now.
    ///
    /// # Errors
    /// What to do instead, if it cannot stand here safely.
    pub(super) fn place(&self) -> Result<Place, &'static str> {
        if self.is_unclear {
            return Err("Leave <!-- out of scripts; browsers disagree about where it ends.");
        }
        match self.state {
            State::Text => Ok(Place::Html),
            State::Script => match self.script.is_in_text() {
                Some(true) => Ok(Place::Text),
                Some(false) => Ok(Place::Code),
                None => Err("A macro cannot stand behind a backslash."),
            },
            State::Quoted(_) if self.is_address() => self.address_place(),
            State::Quoted(_) if self.is_code() => {
                Err("Macros cannot stand in event handlers, styles and srcdoc; use a <script>.")
            }
            State::Quoted(_) if self.may_be_address() => {
                Err("Macros cannot stand in content of <meta> and in to, from, values and by, \
                     which may hold an address; use a <script>.")
            }
            State::Quoted(_) => Ok(Place::Html),
            State::Unquoted if self.is_address() => self.address_place(),
            State::Unquoted | State::BeforeValue => Err("Put the attribute's value into quotes."),
            State::Comment(_) | State::Bogus | State::Declaration(_) => {
                Err("Macros cannot stand in comments.")
            }
            State::Raw => Err("Macros cannot stand in elements that hold no HTML, as <style>."),
            _ => Err("Macros cannot stand for tags or names of attributes."),
        }
    }

    fn is_address(&self) -> bool {
        ADDRESSES.contains(&self.attribute.as_str())
    }

    fn is_code(&self) -> bool {
        self.attribute.starts_with("on")
            || matches!(self.attribute.as_str(), "style" | "srcdoc" | "srcset" | "http-equiv")
    }

    /// Whether the value becomes an address or not by what other attributes say: a redirect of
    /// `<meta>`, or an animation of SVG, which sets whichever attribute it names.
    fn may_be_address(&self) -> bool {
        match self.attribute.as_str() {
            "content" => self.tag == "meta",
            name => matches!(name, "to" | "from" | "values" | "by"),
        }
    }

    /// The host has to be there already, so that no value chooses it.
    fn address_place(&self) -> Result<Place, &'static str> {
        let value = self.value.trim_start().to_ascii_lowercase();
        // Browsers take a backslash for a slash, leave tabs and lines out, and read what `&` stands
        // for: the host would begin elsewhere than it does here.
        let before_query = value.split(['?', '#']).next().unwrap_or_default();
        if before_query.contains(|c: char| c == '\\' || c == '&' || c.is_control()) {
            return Err("Write the address before the macro without \\, & and control characters.");
        }
        // Empty, it would leave two slashes, behind which a host begins.
        if value == "/" {
            return Err("A macro cannot begin a path without a host; put text or the host first.");
        }
        let web = ["https://", "http://", "//"];
        let rest = web.iter().find_map(|scheme| value.strip_prefix(scheme));
        let (is_there, rest) = match rest {
            Some(rest) => {
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                (!host.is_empty() && host.len() < rest.len(), rest)
            }
            None => (value.starts_with(['/', '?', '#']), value.as_str()),
        };
        match (is_there, rest.contains(['?', '#'])) {
            (true, true) => Ok(Place::Query),
            (true, false) => Ok(Place::Path),
            (false, _) => Err("Macros may stand behind the address's host only."),
        }
    }

    /// A value stands here.
    pub(super) fn value(&mut self) {
        match self.state {
            State::Script => self.script.value(),
            State::Quoted(_) | State::Unquoted => self.value.push('x'),
            _ => {}
        }
        self.tail.clear();
    }

    pub(super) fn feed(&mut self, literal: &str) {
        for c in literal.chars() {
            self.read(c);
        }
    }

    fn read(&mut self, c: char) {
        let is_space = matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
        match &mut self.state {
            State::Text if c == '<' => self.state = State::Open,
            State::Text => {}
            State::Open => match c {
                '/' => self.state = State::EndOpen,
                '!' => self.state = State::Declaration(String::new()),
                '?' => self.state = State::Bogus,
                '<' => {}
                _ if c.is_ascii_alphabetic() => self.begin_tag(c, false),
                _ => self.state = State::Text,
            },
            State::EndOpen => match c {
                '>' => self.state = State::Text,
                _ if c.is_ascii_alphabetic() => self.begin_tag(c, true),
                _ => self.state = State::Bogus,
            },
            State::Declaration(read) => {
                read.push(c);
                match read.as_str() {
                    "-" => {}
                    // What closes a comment at once counts these two.
                    "--" => self.state = State::Comment("--".to_owned()),
                    _ if c == '>' => self.state = State::Text,
                    _ => self.state = State::Bogus,
                }
            }
            State::Comment(tail) => {
                push_tail(tail, c);
                if tail.ends_with("-->") || tail.ends_with("--!>") {
                    self.state = State::Text;
                }
            }
            State::Bogus if c == '>' => self.state = State::Text,
            State::Bogus => {}
            State::TagName => match c {
                '>' => self.end_tag(),
                '/' => self.state = State::BeforeName,
                _ if is_space => self.state = State::BeforeName,
                _ => self.tag.push(c.to_ascii_lowercase()),
            },
            State::BeforeName | State::AfterName => match c {
                '>' => self.end_tag(),
                '/' => self.state = State::BeforeName,
                '=' if self.state == State::AfterName => self.state = State::BeforeValue,
                _ if is_space => {}
                _ => {
                    self.attribute = c.to_ascii_lowercase().to_string();
                    self.state = State::Name;
                }
            },
            State::Name => match c {
                '>' => self.end_tag(),
                '/' => self.state = State::BeforeName,
                '=' => self.state = State::BeforeValue,
                _ if is_space => self.state = State::AfterName,
                _ => self.attribute.push(c.to_ascii_lowercase()),
            },
            State::BeforeValue => match c {
                '>' => self.end_tag(),
                '"' | '\'' => self.begin_value(State::Quoted(c), None),
                _ if is_space => {}
                _ => self.begin_value(State::Unquoted, Some(c)),
            },
            State::Quoted(quote) if c == *quote => self.state = State::BeforeName,
            State::Unquoted if is_space => self.state = State::BeforeName,
            State::Unquoted if c == '>' => self.end_tag(),
            State::Quoted(_) | State::Unquoted => self.value.push(c),
            State::Script | State::Raw => self.read_raw(c, is_space),
        }
    }

    fn begin_tag(&mut self, c: char, is_end: bool) {
        self.tag = c.to_ascii_lowercase().to_string();
        self.is_end = is_end;
        self.attribute.clear();
        self.state = State::TagName;
    }

    fn begin_value(&mut self, state: State, first: Option<char>) {
        self.value = first.map(String::from).unwrap_or_default();
        self.state = state;
    }

    fn end_tag(&mut self) {
        self.tail.clear();
        self.state = match self.tag.as_str() {
            _ if self.is_end => State::Text,
            "script" => {
                self.script = Script::new();
                State::Script
            }
            tag if RAW.contains(&tag) => State::Raw,
            _ => State::Text,
        };
    }

    fn read_raw(&mut self, c: char, is_space: bool) {
        let is_closed = self.tail.strip_suffix(self.tag.as_str());
        if is_closed.is_some_and(|before| before.ends_with("</"))
            && (is_space || matches!(c, '/' | '>'))
        {
            self.is_end = true;
            self.attribute.clear();
            self.state = if c == '>' { State::Text } else { State::BeforeName };
            return;
        }
        push_tail(&mut self.tail, c.to_ascii_lowercase());
        if self.state == State::Script {
            self.is_unclear |= self.tail.ends_with("<!--");
            self.script.read(c);
        }
    }
}

fn push_tail(tail: &mut String, c: char) {
    tail.push(c);
    if tail.chars().count() > MAX_TAIL {
        tail.remove(0);
    }
}
