//! What a webhook becomes for one delivery: a request, and what may be shown of it.

/// One request, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// In full.
    pub url: String,
    /// Names and values, the content type among them.
    pub headers: Vec<(String, String)>,
    /// What is sent; `None` for a GET.
    pub body: Option<String>,
    /// The address as the log keeps it: secrets and personal values are masked.
    pub shown_url: String,
}
