//! The host of the click before, and the namespace that it names.

use std::cell::RefCell;

use crate::domain::namespace::Namespace;

/// What the last host that names a namespace was. An isolate meets few hosts, mostly one for
/// thousands of clicks, and to compare it takes a tenth of reading it.
#[derive(Default)]
pub struct LastHost(RefCell<Option<(String, Namespace)>>);

impl LastHost {
    /// The namespace of a host as sent, if it is the one that was remembered.
    pub(super) fn namespace(&self, host: &str) -> Option<Namespace> {
        let last = self.0.borrow();
        let (known, namespace) = last.as_ref()?;
        (known == host).then(|| namespace.clone())
    }

    /// Remembers what a host says by its first label, which never changes.
    pub(super) fn remember(&self, host: &str, namespace: &Namespace) {
        self.0.replace(Some((host.to_owned(), namespace.clone())));
    }
}
