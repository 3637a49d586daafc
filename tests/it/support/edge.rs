//! One isolate of an installation: memory of its own over the shared stores, asked through the
//! route table, so that a test can have two of them, or a new one after a restart.

use std::cell::Cell;
use std::rc::Rc;

use backtrail::app::errands;
use backtrail::app::examine::examine_missed;
use backtrail::app::judge::Errand;
use backtrail::app::settings::{Moment, Settings};
use backtrail::http::request::{Headers, Method, Request};
use backtrail::http::response::Response;
use backtrail::http::{self, Answer, App, Isolate};
use backtrail::store::{BlobFault, Blobs, Database, DatabaseFault, Row, Statement, Stores};
use sha2::{Digest as _, Sha256};

use super::{MapBlobs, SqliteDatabase, World, block_on};

impl Database for &SqliteDatabase {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseFault> {
        SqliteDatabase::batch(self, statements).await
    }
}

impl Blobs for &MapBlobs {
    async fn get(&self, key: &str) -> Result<Option<String>, BlobFault> {
        MapBlobs::get(self, key).await
    }
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, BlobFault> {
        MapBlobs::get_many(self, keys).await
    }
    async fn put(&self, key: &str, text: &str, ttl: Option<u64>) -> Result<(), BlobFault> {
        MapBlobs::put(self, key, text, ttl).await
    }
    async fn delete(&self, key: &str) -> Result<(), BlobFault> {
        MapBlobs::delete(self, key).await
    }
    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<String>, BlobFault> {
        MapBlobs::list(self, prefix, limit).await
    }
}

thread_local! {
    /// Isolates are numbered, so that no two of them draw the same random bytes.
    static ISOLATES: Cell<u64> = const { Cell::new(0) };
}

/// An isolate.
pub struct Edge<'w> {
    /// Where it runs.
    pub world: &'w World,
    /// Its ports.
    pub stores: Stores<&'w SqliteDatabase, &'w MapBlobs>,
    /// What it remembers.
    pub isolate: Isolate,
    number: u64,
    drawn: Cell<u64>,
}

impl<'w> Edge<'w> {
    /// An isolate that has just started.
    pub fn of(world: &'w World) -> Self {
        Self::with(world, (*world.stores.settings).clone())
    }

    /// One that was deployed with other settings.
    pub fn with(world: &'w World, settings: Settings) -> Self {
        let isolate = Isolate::default();
        let stores = Stores {
            database: &world.stores.database,
            blobs: &world.stores.blobs,
            memory: Rc::clone(&isolate.memory),
            settings: Rc::new(settings),
            log: |_| {},
            network: world.receivers.network(&world.clock),
            allowance: Default::default(),
        };
        let number = ISOLATES.with(|isolates| isolates.replace(isolates.get() + 1));
        Self { world, stores, isolate, number, drawn: Cell::new(0) }
    }

    /// Answers a request to `http://host/path?query`. What the reply leaves to do is put off until
    /// [`Self::settles`], but for the copies of answers, which are written at once.
    pub fn answers(
        &self,
        method: Method,
        address: &str,
        headers: Headers<'_>,
        body: &[u8],
    ) -> Response {
        let (answer, put) = self.answers_only(method, address, headers, body);
        if let Some(errand) = put {
            let Isolate { refusals, answers, doubts, .. } = &self.isolate;
            if errands::duty(refusals, answers, doubts, errand, self.world.now()).contains('k') {
                block_on(errands::keep_answers(
                    &self.stores,
                    answers,
                    || self.world.now(),
                    async || (),
                ));
            }
        }
        answer.response
    }

    /// Answers a request, and does nothing behind the reply: the request was cancelled.
    pub fn answers_only(
        &self,
        method: Method,
        address: &str,
        headers: Headers<'_>,
        body: &[u8],
    ) -> (Answer, Option<Errand>) {
        let url = format!("http://{address}");
        let request = Request::new(method, &url, headers, body).unwrap();
        let random = || self.draws();
        let moment = Moment { now: self.world.now(), random: &random };
        let app = App {
            ports: &self.stores,
            isolate: &self.isolate,
            settings: &self.stores.settings,
            moment,
        };
        let mut answer = block_on(http::respond(&app, &request));
        let errand = answer.errand.take();
        (answer, errand)
    }

    /// Waits until everything is written that is written behind replies.
    pub fn settles(&self) {
        let settings = &self.stores.settings;
        self.world.waits_ms(settings.click_page_ms.max(errands::REFUSALS_WAIT_MS));
        let now = self.world.now();
        let random = || self.draws();
        block_on(async {
            errands::write_pages(&self.stores, &self.isolate.pages, settings, now).await;
            errands::refresh(&self.stores, &self.isolate.memory, now).await;
            let moment = Moment { now, random: &random };
            errands::count_refusals(&self.stores, &self.isolate.refusals, &moment).await;
        });
    }

    /// Examines the conversions that wait for it, as their requests do behind the reply.
    pub fn examines(&self) {
        let Isolate { memory, doubts, .. } = &self.isolate;
        let random = || self.draws();
        let moment = Moment { now: self.world.now(), random: &random };
        block_on(errands::examine(&self.stores, memory, doubts, &self.stores.settings, &moment));
    }

    /// Writes the pages that are full or overdue, as a request does that meets one.
    pub fn settles_now(&self) {
        let settings = &self.stores.settings;
        let now = self.world.now();
        block_on(errands::write_pages(&self.stores, &self.isolate.pages, settings, now));
    }

    /// The cron job runs in this isolate.
    pub fn ticks(&self) {
        let (pages, settings) = (&self.isolate.pages, &self.stores.settings);
        block_on(errands::tick(&self.stores, pages, settings, self.world.now()));
        let random = || self.draws();
        let moment = Moment { now: self.world.now(), random: &random };
        block_on(examine_missed(&self.stores, &self.isolate.memory, settings, &moment));
    }

    /// 32 bytes, different at each call and in each isolate.
    pub fn draws(&self) -> [u8; 32] {
        self.drawn.set(self.drawn.get() + 1);
        let drawn = [self.number, self.drawn.get()].map(u64::to_be_bytes).concat();
        Sha256::digest(drawn).into()
    }
}
