//! Request bins: what is sent to `bin:NAME` is kept and shown instead of leaving the installation.

use std::future::Future;

use crate::app::ports::Unavailable;
use crate::app::sender::{Received, SendFault, Sender, Silence};
use crate::app::settings::Moment;
use crate::domain::connector::render::{Masked, Outgoing};
use crate::domain::encoding::hex;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// A request that a bin got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinRequest {
    /// A random name.
    pub name: String,
    /// When it came.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Its address in full.
    pub url: String,
    /// The same without secrets and personal values.
    pub shown_url: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Option<String>,
    /// Headers and body without personal values, where there are any.
    pub masked: Option<Masked>,
    /// What it was answered with.
    pub status: u16,
}

/// Where bins are kept.
pub trait Bins {
    /// Keeps a request; of a bin the newest `MAX_REQUESTS` stay, for a day. Repeatable.
    fn keep_request(
        &self,
        namespace: &Namespace,
        bin: &str,
        request: &BinRequest,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// The requests of a bin that are kept still, the newest first.
    fn bin_requests(
        &self,
        namespace: &Namespace,
        bin: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<BinRequest>, Unavailable>>;

    /// Removes requests that are too old, of all bins. Repeatable.
    fn drop_old_requests(&self, now: Timestamp) -> impl Future<Output = Result<(), Unavailable>>;
}

/// Sends a request of a namespace: into its bin if it is addressed to one, else out. Whoever sends
/// for a connector calls this; addresses are checked before.
///
/// # Errors
/// As [`Sender::send`]; a bin that cannot be written is a connection that could not be made.
pub async fn send(
    bins: &impl Bins,
    sender: &impl Sender,
    namespace: &Namespace,
    request: &Outgoing,
    moment: &Moment<'_>,
    timeout_ms: u64,
) -> Result<Received, SendFault> {
    let Some(bin) = &request.bin else {
        return sender.send(request, timeout_ms).await;
    };
    let random = (moment.random)();
    let kept = BinRequest {
        name: random.first_chunk::<16>().map_or_else(String::new, |bytes| hex(bytes)),
        at: moment.now,
        method: request.method.to_owned(),
        url: request.url.clone(),
        shown_url: request.shown_url.clone(),
        masked: request.masked.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        status: bin.status,
    };
    match bins.keep_request(namespace, &bin.name, &kept).await {
        Ok(()) => Ok(Received {
            status: bin.status,
            retry_after: None,
            answer: String::new(),
            duration_ms: 0,
        }),
        Err(Unavailable) => Err(SendFault {
            silence: Silence::Connection,
            detail: "the bin could not be written".to_owned(),
            duration_ms: 0,
        }),
    }
}
