//! The reply to a click: one text with everything that is the click's own.

use std::cell::RefCell;

use crate::app::pages::Duty;

/// Address and two cookies of a usual click.
const USUAL_BYTES: usize = 512;

/// The memory of the redirect before, for the text of the next one: to ask for memory and to give
/// it back is more code than to follow the click.
#[derive(Debug, Default)]
pub struct Spare(RefCell<String>);

impl Spare {
    pub(super) fn take(&self) -> String {
        let mut text = self.0.take();
        text.clear();
        text.reserve(USUAL_BYTES);
        text
    }

    /// Keeps the memory of a redirect that has been sent.
    pub fn keep(&self, sent: String) {
        self.0.replace(sent);
    }
}

/// Where a visitor is sent, with which cookies. The address and the values of `Set-Cookie` stand in
/// one text, a line each, as the edge takes them: a click writes them there and nothing is copied.
/// They are ASCII without control characters, since templates, deep links and cookies are, so none
/// of them has a line feed and their bytes are their letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    pub(super) lines: String,
    /// What is to be done behind the reply.
    pub duty: Duty,
}

impl Redirect {
    /// To an address, without cookies.
    pub(super) fn to(location: String) -> Self {
        Self { lines: location, duty: Duty::default() }
    }

    /// The address.
    pub fn location(&self) -> &str {
        self.lines.split('\n').next().unwrap_or_default()
    }

    /// The values of `Set-Cookie`.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        self.lines.split('\n').skip(1)
    }

    /// The address and the cookies, a line each.
    pub fn into_lines(self) -> String {
        self.lines
    }
}
