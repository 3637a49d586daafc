//! Where in JavaScript one is: within a string, a comment, or code.
//!
//! Telling a regular expression from a division needs a parser of the whole language. Here the
//! token before decides, as a rule rightly; wherever it errs, an encoded value is at worst a word or a
//! syntax error, for neither encoding leaves a bracket, operator or quote of the value's own.

/// What the machine is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Code,
    /// A slash of which the next character tells what it is.
    Slash,
    Line,
    Block,
    /// A string, and its quote.
    Text(char),
    Template,
    Regex,
    /// A class within a regular expression, where a slash is nothing.
    Class,
}

/// Words behind which a slash begins a regular expression.
const BEFORE_REGEX: &[&str] = &[
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "delete",
    "void",
    "throw",
    "new",
    "else",
    "do",
    "instanceof",
];

/// A reader of JavaScript, character by character.
#[derive(Clone, Debug)]
pub(super) struct Script {
    mode: Mode,
    is_escaped: bool,
    /// The character before, for `*/` and `${`.
    before: char,
    /// The last character of code that is no space.
    last: char,
    /// The word that ends there.
    word: String,
    /// For each template that code is nested in, how many braces are open in that code.
    nesting: Vec<u32>,
}

impl Script {
    pub(super) fn new() -> Self {
        let (mode, word, nesting) = (Mode::Code, String::new(), Vec::new());
        Self { mode, is_escaped: false, before: ' ', last: ';', word, nesting }
    }

    /// Whether a value would stand within a string, comment or regular expression, which all read
    /// the same escapes; `None` where it would continue an escape.
    pub(super) fn is_in_text(&self) -> Option<bool> {
        match self.mode {
            _ if self.is_escaped => None,
            Mode::Code => Some(false),
            Mode::Slash => Some(self.is_regex_next()),
            _ => Some(true),
        }
    }

    /// A value stands here.
    pub(super) fn value(&mut self) {
        match self.mode {
            Mode::Slash if self.is_regex_next() => self.mode = Mode::Regex,
            Mode::Slash => self.mode = Mode::Code,
            _ => {}
        }
        self.before = 'a';
        self.last = 'a';
        self.word.clear();
    }

    pub(super) fn read(&mut self, c: char) {
        if self.mode == Mode::Slash {
            self.mode = match c {
                '/' => Mode::Line,
                '*' => Mode::Block,
                _ if self.is_regex_next() => Mode::Regex,
                _ => {
                    self.last = '/';
                    self.word.clear();
                    Mode::Code
                }
            };
            if matches!(self.mode, Mode::Line | Mode::Block) {
                self.before = ' ';
                return;
            }
        }
        let is_newline = matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}');
        if self.is_escaped {
            self.is_escaped = false;
        } else {
            match self.mode {
                Mode::Code | Mode::Slash => self.code(c),
                Mode::Line if is_newline => self.mode = Mode::Code,
                Mode::Block if self.before == '*' && c == '/' => self.mode = Mode::Code,
                Mode::Text(quote) if c == quote => self.ends_text(),
                Mode::Text(_) if matches!(c, '\n' | '\r') => self.mode = Mode::Code,
                Mode::Text(_) => self.is_escaped = c == '\\',
                Mode::Template if c == '`' => self.ends_text(),
                Mode::Template if self.before == '$' && c == '{' => {
                    self.nesting.push(0);
                    self.mode = Mode::Code;
                    self.last = '{';
                }
                Mode::Template => self.is_escaped = c == '\\',
                Mode::Regex | Mode::Class if is_newline => self.mode = Mode::Code,
                Mode::Regex if c == '/' => self.ends_text(),
                Mode::Regex if c == '[' => self.mode = Mode::Class,
                Mode::Class if c == ']' => self.mode = Mode::Regex,
                Mode::Regex | Mode::Class => self.is_escaped = c == '\\',
                Mode::Line | Mode::Block => {}
            }
        }
        self.before = c;
    }

    fn ends_text(&mut self) {
        self.mode = Mode::Code;
        self.last = '"';
        self.word.clear();
    }

    fn code(&mut self, c: char) {
        match c {
            '"' | '\'' => self.mode = Mode::Text(c),
            '`' => self.mode = Mode::Template,
            '/' => self.mode = Mode::Slash,
            '{' => {
                if let Some(open) = self.nesting.last_mut() {
                    *open += 1;
                }
            }
            '}' => match self.nesting.last_mut() {
                Some(0) => {
                    self.nesting.pop();
                    self.mode = Mode::Template;
                }
                Some(open) => *open -= 1,
                None => {}
            },
            _ => {}
        }
        if self.mode == Mode::Slash || c.is_whitespace() {
            return;
        }
        if c.is_alphanumeric() || c == '_' || c == '$' {
            // A space between two words ends the first.
            if self.before.is_whitespace() {
                self.word.clear();
            }
            if self.word.len() < 16 {
                self.word.push(c);
            }
        } else {
            self.word.clear();
        }
        self.last = c;
    }

    fn is_regex_next(&self) -> bool {
        "(,=:[!&|?{;+-*%<>~^".contains(self.last) || BEFORE_REGEX.contains(&self.word.as_str())
    }
}
