//! Opens new connections: tries the hosts of the data source one after the other, until one accepts.

use std::future::{pending, poll_fn};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Connect;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::pause;
use rand::seq::SliceRandom;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::{debug, warn};

use super::super::StoreError;
use super::super::data_source::DataSource;
use super::super::error::Failure;
use super::super::tasks::Tasks;
use super::listening::Bell;

/// The time that sent data may stay unacknowledged before the connection is treated as lost.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(10);

/// The idle time after which the operating system sends keepalive probes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);

/// The driver's default for the keepalive idle time, which libpq documents too.
const DRIVER_KEEPALIVE_IDLE: Duration = Duration::from_hours(2);

/// The lock timeout of a statement. It is longer than a stalled transaction of another server can hold the lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(4);

/// The time after which PostgreSQL ends a transaction without a running statement. Its server is frozen or gone, and
/// other servers wait for its locks.
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the limits that PostgreSQL enforces even when this process is frozen. It notices a dead machine within 25 s.
fn session_limits() -> String {
    let (lock_wait, idle) = (LOCK_TIMEOUT.as_millis(), IDLE_IN_TRANSACTION_TIMEOUT.as_millis());
    let (quiet, unacknowledged) = (KEEPALIVE_IDLE.as_secs(), UNACKNOWLEDGED_TIMEOUT.as_millis());
    format!(
        "-c lock_timeout={lock_wait} -c idle_in_transaction_session_timeout={idle} -c tcp_keepalives_idle={quiet} \
         -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout={unacknowledged}"
    )
}

/// The hosts of a data source, each with the settings of its connections.
#[derive(Clone)]
pub(super) struct Hosts {
    connections: Arc<[Config]>,
    tls: MakeRustlsConnect,
    /// The connection timeout for one host.
    turn: Duration,
    is_random: bool,
    /// The main thread reads and writes all connections. All threads share the connections: a connection served by the
    /// thread that opened it would stall whenever a handler blocks that thread.
    tasks: Tasks,
}

impl Hosts {
    /// Reads the certificates and divides the timeout `limit` equally among the hosts.
    pub(super) fn new(source: &DataSource, limit: Duration, statement_limit: Duration) -> Result<Self, StoreError> {
        let tls = source.encryption().client_config().map_err(StoreError::Setting)?;
        let mut connections = source.connections();
        let tasks = Tasks::new()?;
        let turn = limit / u32::try_from(connections.len()).unwrap_or(u32::MAX).max(1);
        for config in &mut connections {
            let connect_timeout = config.get_connect_timeout().copied().unwrap_or(turn).min(turn);
            config.connect_timeout(connect_timeout);
            if config.get_tcp_user_timeout().is_none() {
                config.tcp_user_timeout(UNACKNOWLEDGED_TIMEOUT);
            }
            if config.get_keepalives_idle() == DRIVER_KEEPALIVE_IDLE {
                config.keepalives_idle(KEEPALIVE_IDLE);
            }
            // PostgreSQL uses the last value of an option, so the data source can override our limits.
            let given = config.get_options().unwrap_or_default();
            let own = format!("{} {given} -c statement_timeout={}", session_limits(), statement_limit.as_millis());
            config.options(own);
        }
        Ok(Self {
            connections: connections.into(),
            tls: MakeRustlsConnect::new(tls),
            turn,
            is_random: source.is_random(),
            tasks,
        })
    }

    pub(super) const fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Opens one more connection to the database and closes it; returns true when that succeeds.
    pub(super) async fn take_another(&self) -> bool {
        self.connect_to_one().await.is_ok()
    }

    /// Opens a connection that rings `bell` for each notification.
    pub(super) async fn connect_listening(&self, bell: Arc<Bell>) -> Result<(Client, JoinHandle<()>), Error> {
        self.connect_to_one_of(Some(&bell)).await
    }

    async fn connect_to_one(&self) -> Result<(Client, JoinHandle<()>), Error> {
        self.connect_to_one_of(None).await
    }

    async fn connect_to_one_of(&self, bell: Option<&Arc<Bell>>) -> Result<(Client, JoinHandle<()>), Error> {
        let mut order: Vec<&Config> = self.connections.iter().collect();
        if self.is_random {
            order.shuffle(&mut rand::rng());
        }
        while order.len() > 1 {
            let config = order.remove(0);
            match pause::timeout(self.turn, self.connect_to(config, bell)).await {
                Ok(Ok(connected)) => return Ok(connected),
                // As in libpq, a host that refuses the login ends the search.
                Ok(Err(refused)) if refused.code().is_some_and(is_refused_login) => return Err(refused),
                Ok(Err(failed)) => debug!(error = %Failure::of(&failed), "a connection to a database host failed"),
                Err(_) => debug!("a database host does not answer"),
            }
        }
        match order.first() {
            Some(config) => self.connect_to(config, bell).await,
            None => self.connect_to(&Config::new(), bell).await,
        }
    }

    async fn connect_to(&self, config: &Config, bell: Option<&Arc<Bell>>) -> Result<(Client, JoinHandle<()>), Error> {
        let (config, tls, bell) = (config.clone(), self.tls.clone(), bell.cloned());
        let mut connecting = Connecting(self.tasks.runtime().spawn(async move {
            let (client, mut connection) = config.connect(tls).await?;
            let work = tokio::spawn(async move {
                let ended = match bell {
                    None => connection.await,
                    Some(bell) => loop {
                        match poll_fn(|context| connection.poll_message(context)).await {
                            Some(Ok(AsyncMessage::Notification(told))) => bell.ring(told.payload()),
                            Some(Ok(_)) => {}
                            Some(Err(failed)) => break Err(failed),
                            None => break Ok(()),
                        }
                    },
                };
                if let Err(failed) = ended {
                    warn!(error = %Failure::of(&failed), "a database connection ended with an error");
                }
            });
            Ok((client, work))
        }));
        match (&mut connecting.0).await {
            Ok(connected) => connected,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime is shutting down. The caller waits until its own timeout.
                Err(_) => pending().await,
            },
        }
    }
}

/// A connection attempt that is cancelled when it is dropped.
struct Connecting(JoinHandle<Result<(Client, JoinHandle<()>), Error>>);

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connect for Hosts {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        self.connect_to_one().boxed()
    }
}

fn is_refused_login(code: &SqlState) -> bool {
    [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code)
}
