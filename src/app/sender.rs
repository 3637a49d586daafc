//! The port through which one request reaches a receiver.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::domain::connector::render::Outgoing;

/// How many bytes of a receiver's answer are kept.
pub const MAX_ANSWER: usize = 1_024;

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The code.
    pub status: u16,
    /// The header `Retry-After`, as it came; `None` without one.
    pub retry_after: Option<String>,
    /// The first [`MAX_ANSWER`] bytes of the body, as text.
    pub answer: String,
    /// From the beginning of the request to the answer, in milliseconds.
    pub duration_ms: u64,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It did not come in time.
    Timeout,
    /// The connection could not be made, or was lost.
    Connection,
    /// The platform did not send the request, because this invocation has made as many as it may.
    /// Nothing has happened, and another invocation can send it.
    NotSent,
}

/// There is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFault {
    /// Why.
    pub silence: Silence,
    /// What the platform says of it.
    pub detail: String,
    /// Until it was given up, in milliseconds.
    pub duration_ms: u64,
}

/// Sends requests.
pub trait Sender {
    /// Sends one request, once, and follows no redirect. An answer of any status is an answer.
    ///
    /// # Errors
    /// [`SendFault`] if there is none within the timeout; the receiver may have got the request
    /// all the same.
    fn send(
        &self,
        request: &Outgoing,
        timeout_ms: u64,
    ) -> impl Future<Output = Result<Received, SendFault>>;
}

/// An answer under way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Received, SendFault>>>>;

/// What makes requests: the platform's `fetch`, or receivers made up by a test.
pub type Network = Rc<dyn Fn(&Outgoing, u64) -> Answering>;
