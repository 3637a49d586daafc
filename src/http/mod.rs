//! How it is asked: requests and responses as plain values, one route table, the only status codes.
//!
//! A handler reads the request, calls one function of `app/` and writes the response. Not here:
//! decisions, SQL, the platform's request and response types (`edge/` packs and unpacks those).

pub mod request;
pub mod response;
