//! The idle connections of clients, which are closed before their server is stopped.
//!
//! During a stop the server waits a second for another request on each idle connection, so that no request is lost.
//! Tests of other behaviour do not wait: `Process::stop` closes the connections first.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, Weak};

use reqwest::{Client, ClientBuilder};

thread_local! {
    /// The pools of the test that runs on this thread.
    static POOLS: RefCell<Vec<Weak<Pool>>> = const { RefCell::new(Vec::new()) };
}

/// The connections of a client and its copies to one server.
pub struct Pool {
    base: String,
    configure: Box<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>,
    /// `None` after the connections were closed; the next request creates a new client.
    client: Mutex<Option<Client>>,
}

impl Pool {
    pub fn new(base: &str, configure: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static) -> Arc<Self> {
        let pool = Arc::new(Self { base: base.to_owned(), configure: Box::new(configure), client: Mutex::default() });
        POOLS.with_borrow_mut(|pools| {
            pools.retain(|pool| pool.strong_count() > 0);
            pools.push(Arc::downgrade(&pool));
        });
        pool
    }

    /// Returns the client for a request. Its connections stay open during the request.
    pub fn client(&self) -> Client {
        let mut client = self.client.lock().unwrap();
        client.get_or_insert_with(|| (self.configure)(builder()).build().unwrap()).clone()
    }
}

/// Builds a client without the root certificates of the machine, which each client would parse again.
fn builder() -> ClientBuilder {
    Client::builder().tls_certs_only([])
}

/// Closes the idle connections that the clients of this test have to the server at `base`.
pub fn close_idle(base: &str) {
    POOLS.with_borrow(|pools| {
        for pool in pools.iter().filter_map(Weak::upgrade).filter(|pool| pool.base == base) {
            pool.client.lock().unwrap().take();
        }
    });
}
