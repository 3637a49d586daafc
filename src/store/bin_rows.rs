//! Request bins as rows.

use serde_json::{Value as Json, json};

use super::{Blobs, Database, Row, Statement, Stores};
use crate::app::bins::{BinRequest, Bins};
use crate::app::ports::Unavailable;
use crate::domain::connector::bin::{KEPT_MS, MAX_REQUESTS};
use crate::domain::connector::render::Masked;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

const KEEP: &str = "INSERT INTO bin_requests (namespace, bin, at, name, method, url, headers, body, status, masked) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING";

/// The oldest one that stays is the last of the newest.
const DROP_OLDER: &str = "DELETE FROM bin_requests WHERE namespace = ?1 AND bin = ?2 AND (at, name) < \
     (SELECT at, name FROM bin_requests WHERE namespace = ?1 AND bin = ?2 \
      ORDER BY at DESC, name DESC LIMIT 1 OFFSET ?3)";

const READ: &str = "SELECT at, name, method, url, headers, body, status, masked FROM bin_requests \
     WHERE namespace = ?1 AND bin = ?2 AND at > ?3 ORDER BY at DESC, name DESC LIMIT ?4";

const DROP_OLD: &str = "DELETE FROM bin_requests INDEXED BY bin_requests_at WHERE at <= ?1";

fn pairs(value: &Json) -> Vec<(String, String)> {
    let pair =
        |pair: &Json| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()));
    value.as_array().map(|list| list.iter().filter_map(pair).collect()).unwrap_or_default()
}

fn request(row: &Row) -> Option<BinRequest> {
    let text = |name: &str| row.get(name)?.as_str().map(str::to_owned);
    let parsed = |name: &str| serde_json::from_str::<Json>(row.get(name)?.as_str()?).ok();
    Some(BinRequest {
        name: text("name")?,
        at: Timestamp::from_ms(row.get("at")?.as_u64()?),
        method: text("method")?,
        url: text("url")?,
        shown_url: parsed("masked")?.get("url")?.as_str()?.to_owned(),
        headers: pairs(&parsed("headers")?),
        body: text("body"),
        masked: parsed("masked").filter(|masked| masked.get("headers").is_some()).map(|masked| {
            Masked {
                headers: masked.get("headers").map(pairs).unwrap_or_default(),
                body: masked.get("body").and_then(Json::as_str).map(str::to_owned),
            }
        }),
        status: row.get("status")?.as_u64()?.try_into().ok()?,
    })
}

impl<D: Database, B: Blobs> Bins for Stores<D, B> {
    async fn keep_request(
        &self,
        namespace: &Namespace,
        bin: &str,
        request: &BinRequest,
    ) -> Result<(), Unavailable> {
        let mut masked = json!({ "url": request.shown_url });
        if let (Some(parts), Some(object)) = (&request.masked, masked.as_object_mut()) {
            object.insert("headers".to_owned(), json!(parts.headers));
            object.insert("body".to_owned(), json!(parts.body));
        }
        let space = namespace.as_str();
        let keep = vec![
            space.into(),
            bin.into(),
            request.at.ms().into(),
            request.name.as_str().into(),
            request.method.as_str().into(),
            request.url.as_str().into(),
            json!(request.headers).to_string().into(),
            request.body.as_deref().into(),
            u64::from(request.status).into(),
            masked.to_string().into(),
        ];
        let drop_older = vec![space.into(), bin.into(), (MAX_REQUESTS - 1).into()];
        self.run(vec![Statement::new(KEEP, keep), Statement::new(DROP_OLDER, drop_older)])
            .await
            .map(|_| ())
    }

    async fn bin_requests(
        &self,
        namespace: &Namespace,
        bin: &str,
        now: Timestamp,
    ) -> Result<Vec<BinRequest>, Unavailable> {
        let since = now.ms().saturating_sub(KEPT_MS);
        let values = vec![namespace.as_str().into(), bin.into(), since.into(), MAX_REQUESTS.into()];
        let rows = self.run(vec![Statement::new(READ, values)]).await?.into_iter().flatten();
        Ok(rows.filter_map(|row| request(&row)).collect())
    }

    async fn drop_old_requests(&self, now: Timestamp) -> Result<(), Unavailable> {
        let since = now.ms().saturating_sub(KEPT_MS);
        self.run(vec![Statement::new(DROP_OLD, vec![since.into()])]).await.map(|_| ())
    }
}
