//! The stream of entries in Redis: puts entries there, takes them as they come, and reads earlier ones again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use quarterdeck_actors::cluster::{Batch, RedisFigures};
use quarterdeck_actors::config::view::View;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::task;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::super::super::StoreError;
use super::answers::{BYTES_AROUND, MAX_ENTRY_BYTES, bytes_of, entries_of, entries_of_streams, is_unusable};
use super::connection::{Server, no_answer, time_in};
use super::contents::{Entry, EntryId, Range, Seal, hex};
use super::last_put::LastPut;
use super::protocol::{Answer, packed};
use super::recent::{MAX_RANGE_ENTRIES, Recent};
use super::server_clock::ServerClock;
use super::usage::Usage;

/// The time limits for all commands that put an entry, for entries that are read, and for a connection that is opened first.
const PUT_LIMIT: Duration = Duration::from_millis(150);
const READ_LIMIT: Duration = Duration::from_millis(300);
const FIRST_LIMIT: Duration = Duration::from_secs(2);

/// The time for which Redis waits for a new entry before it says that there is none.
const BLOCK: Duration = Duration::from_secs(1);

/// The minimum time between two looks if Redis answers, and between two looks if the stream is to be followed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);

/// The time after which Redis deletes a stream that no server uses, in ms.
const EXPIRY_MS: &[u8] = b"1800000";

/// The name of the field with the text of an entry.
const FIELD: &[u8] = b"c";

/// The reasons why the stream is deleted.
const UNUSABLE: &str =
    "another program changed its type, or gave an entry a length or an id that no server's entry has";
const IN_FUTURE: &str = "its ids are ahead of the clock of Redis, which was set back, or another program gave them";

/// The stream of a cluster.
pub(super) struct Stream {
    server: Server,
    /// The database in Redis and the key of the stream.
    db: i64,
    key: String,
    seal: Seal,
    pub(super) usage: Usage,
    pub(super) recent: Recent,
    /// The id up to which entries were taken as they come; `None` while they are not taken.
    taken: std::sync::Mutex<Option<EntryId>>,
    clock: ServerClock,
    last_put: LastPut,
    /// True if an own entry was put since the last renewal of the expiry.
    has_put: AtomicBool,
    /// Locked while a task looks if Redis answers. Holds the time of its start.
    checking: Arc<Mutex<Option<Instant>>>,
}

/// The place up to which entries were taken from a bus.
struct Cursor {
    bus: String,
    id: EntryId,
}

impl Stream {
    /// Returns the stream of a cluster. Opens no connection yet. `installation` is a secret that all servers of the
    /// database have.
    pub(super) fn of(view: &View, cluster: &str, installation: &Secret) -> Result<Self, StoreError> {
        let key = format!("{}quarterdeck:{cluster}:bus", view.cache.redis_cache_prefix);
        Ok(Self {
            server: Server::named(view)?,
            db: view.cache.redis_db.max(0),
            seal: Seal::new(installation, &key),
            key,
            usage: Usage::default(),
            recent: Recent::default(),
            taken: std::sync::Mutex::default(),
            clock: ServerClock::default(),
            last_put: LastPut::default(),
            has_put: AtomicBool::default(),
            checking: Arc::default(),
        })
    }

    /// Begins to look if Redis answers, if no task does.
    pub(super) fn keep(self: &Arc<Self>) {
        let Ok(mut turn) = self.checking.clone().try_lock_owned() else { return };
        if turn.is_some_and(|since| since.elapsed() < CHECK_INTERVAL) {
            return;
        }
        *turn = Some(Instant::now());
        let stream = self.clone();
        // Not in the caller: a heartbeat must not wait for Redis.
        task::once("check_redis", async move {
            let _turn = turn;
            stream.check().await;
        });
    }

    /// Notes if Redis answers as fast as an entry has to be put, and its run.
    pub(super) async fn check(&self) {
        if !self.usage.may_try(Instant::now()) {
            return;
        }
        // The first one may open a connection.
        let answered = match self.server.run(&[b"PING"], FIRST_LIMIT).await {
            Ok((_, answer)) => answer.accepted("PING").map(drop),
            Err(cause) => Err(cause),
        };
        let run = match answered {
            Ok(()) => self.look_at_clock(PUT_LIMIT).await,
            Err(cause) => Err(cause),
        };
        match run {
            Ok(run) => self.usage.note_answer(self.bus_of(&run), Instant::now()),
            Err(cause) => self.usage.note_failure(&cause, Instant::now()),
        }
    }

    /// Notes the time of Redis, and returns its run.
    async fn look_at_clock(&self, limit: Duration) -> Result<String, StoreError> {
        let (run, answer) = self.server.run(&[b"INFO", b"server"], limit).await?;
        self.clock.note(time_in(&answer.accepted("INFO")?.text()?), Instant::now());
        Ok(run)
    }

    /// Returns the figures of Redis, which is in use only while this server takes entries from there.
    pub(super) fn figures(&self) -> RedisFigures {
        let figures = self.usage.figures();
        if figures.is_used && self.taken().is_none() {
            let problem = Some("this server does not take the entries in Redis yet".to_owned());
            return RedisFigures { problem, is_used: false, ..figures };
        }
        figures
    }

    /// Puts a batch into the stream. `None` if it has to go into rows.
    pub(super) async fn put(&self, batch: &Batch) -> Option<EntryId> {
        let length = batch.messages.iter().map(|(_, body)| body.len()).sum::<usize>();
        let taken = self.taken()?;
        if length > MAX_ENTRY_BYTES || !self.usage.is_shared(Instant::now()) {
            return None;
        }
        let value = self.seal.sealed(batch);
        if value.len() > MAX_ENTRY_BYTES || !self.usage.admits(value.len(), Instant::now()) {
            return None;
        }
        let added = timeout(PUT_LIMIT, self.put_now(value.as_bytes(), taken)).await.unwrap_or_else(|_| {
            self.server.leave();
            Err(no_answer(PUT_LIMIT))
        });
        match added {
            Ok(id) => {
                self.has_put.store(true, Ordering::Relaxed);
                Some(id)
            }
            Err(cause) => {
                self.last_put.clear();
                self.usage.note_failure(&cause, Instant::now());
                None
            }
        }
    }

    /// Puts an entry into the stream. `taken` is the id up to which entries were taken.
    async fn put_now(&self, value: &[u8], taken: EntryId) -> Result<EntryId, StoreError> {
        let mut added = self.add(value).await?;
        if added.is_none() {
            self.begin_anew(UNUSABLE).await?;
            added = self.add(value).await?;
        }
        let id = added.ok_or_else(|| StoreError::Redis("XADD: refused again".to_owned()))?;
        if self.clock.is_ahead(id, Instant::now()) {
            self.leave_future(id).await?;
        }
        if id <= taken {
            return Err(StoreError::Redis("an entry got an id that is not above earlier ones".to_owned()));
        }
        Ok(id)
    }

    /// Adds an entry to the stream, and deletes those that no row can name any more. `None` if the stream is unusable.
    async fn add(&self, value: &[u8]) -> Result<Option<EntryId>, StoreError> {
        let oldest = self.last_put.oldest_ms(&self.usage.bus()).to_string();
        let command: [&[u8]; 8] = [b"XADD", self.key.as_bytes(), b"MINID", b"~", oldest.as_bytes(), b"*", FIELD, value];
        let (run, answer) = self.server.run(&command, PUT_LIMIT).await?;
        if is_unusable(&answer) {
            return Ok(None);
        }
        let id = String::from_utf8(answer.accepted("XADD")?.text()?).ok().and_then(|id| EntryId::parse(&id));
        let id = id.ok_or_else(|| StoreError::Redis("XADD: the answer is not the id of an entry".to_owned()))?;
        let bus = self.bus_of(&run);
        if bus != self.usage.bus() {
            self.server.leave();
            return Err(StoreError::Redis("another run of Redis, or another Redis, has the address now".to_owned()));
        }
        self.last_put.note(bus, id);
        Ok(Some(id))
    }

    /// Deletes the stream, so that it begins anew.
    async fn begin_anew(&self, reason: &str) -> Result<(), StoreError> {
        warn!(reason, "the stream in Redis is deleted and begins anew");
        self.server.run(&[b"DEL", self.key.as_bytes()], READ_LIMIT).await?.1.accepted("DEL").map(drop)
    }

    /// Asks Redis for its time after an entry got an id ahead of its clock. If the id still is, returns an error, and deletes
    /// the stream if its last id is ahead as well: entries would never become old enough to be deleted.
    async fn leave_future(&self, id: EntryId) -> Result<(), StoreError> {
        // The clock of Redis may have been set, or this machine may have stood still.
        self.look_at_clock(READ_LIMIT).await?;
        let now = Instant::now();
        if !self.clock.is_ahead(id, now) {
            return Ok(());
        }
        // Another server may have deleted the stream meanwhile.
        if self.clock.is_ahead(self.end().await?.id, now) {
            self.begin_anew(IN_FUTURE).await?;
        }
        Err(StoreError::Redis("the ids of the stream are ahead of the clock of Redis".to_owned()))
    }

    /// Takes the entries as they come, until the bus is gone.
    pub(super) async fn follow(stream: Weak<Self>) {
        let mut cursor = None;
        while let Some(stream) = stream.upgrade() {
            if !stream.usage.is_followed() {
                cursor = None;
                stream.note_taken(None);
                drop(stream);
                sleep(FOLLOW_INTERVAL).await;
                continue;
            }
            cursor = match stream.take_next(cursor).await {
                Ok(next) => Some(next),
                Err(cause) => {
                    stream.usage.note_failure(&cause, Instant::now());
                    sleep(FOLLOW_INTERVAL).await;
                    None
                }
            };
            stream.note_taken(cursor.as_ref().map(|cursor| cursor.id));
        }
    }

    fn taken(&self) -> Option<EntryId> {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_taken(&self, id: Option<EntryId>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// Takes the entries after a place, and waits a while for some. Without a place it begins at the end.
    async fn take_next(&self, cursor: Option<Cursor>) -> Result<Cursor, StoreError> {
        let Some(Cursor { bus, id }) = cursor else { return self.end().await };
        let (from, count, block) = (id.to_string(), MAX_RANGE_ENTRIES.to_string(), BLOCK.as_millis().to_string());
        let command = packed(&[
            b"XREAD",
            b"COUNT",
            count.as_bytes(),
            b"BLOCK",
            block.as_bytes(),
            b"STREAMS",
            self.key.as_bytes(),
            from.as_bytes(),
        ]);
        let (run, answer) = self.server.ask(&[command], bytes_of(MAX_RANGE_ENTRIES), BLOCK + READ_LIMIT).await?;
        if self.bus_of(&run) != bus {
            return self.end().await;
        }
        let entries = match answer.into_iter().next().flatten() {
            Some(Answer::Nothing) => {
                // A stream that began anew can have lower ids.
                let end = self.end().await?;
                return Ok(if end.id < id { end } else { Cursor { bus, id } });
            }
            Some(answer) if !is_unusable(&answer) => entries_of_streams(answer.accepted("XREAD")?)?,
            // Another type, or an entry that is longer than any of a server.
            Some(_) | None => {
                self.begin_anew(UNUSABLE).await?;
                sleep(FOLLOW_INTERVAL).await;
                return self.end().await;
            }
        };
        let last = entries.last().map_or(id, |(id, _)| *id);
        self.recent.add(&bus, entries.into_iter().filter_map(|(id, value)| self.seal.opened(id, &value)));
        Ok(Cursor { bus, id: last })
    }

    /// Returns the end of the stream.
    async fn end(&self) -> Result<Cursor, StoreError> {
        let command = packed(&[b"XREVRANGE", self.key.as_bytes(), b"+", b"-", b"COUNT", b"1"]);
        let (run, answer) = self.server.ask(&[command], bytes_of(1), READ_LIMIT).await?;
        let id = match answer.into_iter().next().flatten() {
            Some(answer) if !is_unusable(&answer) => {
                entries_of(answer.accepted("XREVRANGE")?)?.first().map_or(EntryId::default(), |(id, _)| *id)
            }
            Some(_) | None => {
                self.begin_anew(UNUSABLE).await?;
                EntryId::default()
            }
        };
        Ok(Cursor { bus: self.bus_of(&run), id })
    }

    /// Reads the entries of ranges. `None` for a range whose entries are not there, or are others.
    pub(super) async fn read(&self, ranges: &[Range]) -> Result<Vec<Option<Vec<Arc<Entry>>>>, StoreError> {
        self.read_now(ranges).await.inspect_err(|cause| self.usage.note_failure(cause, Instant::now()))
    }

    async fn read_now(&self, ranges: &[Range]) -> Result<Vec<Option<Vec<Arc<Entry>>>>, StoreError> {
        let ids: Vec<EntryId> = ranges.iter().flat_map(|range| range.ids.clone()).collect();
        let command = |id: &EntryId| {
            let id = id.to_string();
            packed(&[b"XRANGE", self.key.as_bytes(), id.as_bytes(), id.as_bytes()])
        };
        let commands: Vec<Vec<u8>> = ids.iter().map(command).collect();
        let around = BYTES_AROUND.saturating_mul(u64::try_from(ids.len()).unwrap_or(u64::MAX));
        let bytes = ranges.iter().map(|range| range.bytes).fold(around, u64::saturating_add);
        let (run, answers) = self.server.ask(&commands, bytes, READ_LIMIT).await?;
        let bus = self.bus_of(&run);
        let mut found = Vec::new();
        let mut answers = answers.into_iter();
        for range in ranges {
            let entries: Vec<Option<Entry>> =
                answers.by_ref().take(range.ids.len()).map(|answer| self.found(answer)).collect::<Result<_, _>>()?;
            let entries: Option<Vec<Arc<Entry>>> = entries.into_iter().map(|entry| entry.map(Arc::new)).collect();
            let entries = entries.filter(|entries| range.proves(entries));
            // An earlier run of Redis may have lost its entries, this one not.
            if entries.is_none() && range.is_in(&bus) {
                self.usage.note_loss(Instant::now());
            }
            found.push(entries);
        }
        Ok(found)
    }

    /// Returns the entry in an answer to `XRANGE`. An error if Redis cannot tell now.
    fn found(&self, answer: Option<Answer>) -> Result<Option<Entry>, StoreError> {
        let Some(answer) = answer.filter(|answer| !is_unusable(answer)) else { return Ok(None) };
        let entries = entries_of(answer.accepted("XRANGE")?)?;
        Ok(entries.into_iter().next().and_then(|(id, value)| self.seal.opened(id, &value)))
    }

    /// Lets Redis delete the stream some time after the last entry.
    pub(super) async fn prune(&self) -> Result<(), StoreError> {
        if self.has_put.swap(false, Ordering::Relaxed) {
            self.done(&[b"PEXPIRE", self.key.as_bytes(), EXPIRY_MS]).await?;
        }
        Ok(())
    }

    /// Checks that the server answers and lets this account run what the bus needs, on a key that is deleted again.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        let key = format!("{}:{}", self.key, quarterdeck_actors::id::new_id());
        let tried = self.try_commands(key.as_bytes()).await;
        // Also after a refusal of another command.
        let deleted = self.done(&[b"DEL", key.as_bytes()]).await;
        tried.and(deleted.map(drop))
    }

    async fn try_commands(&self, key: &[u8]) -> Result<(), StoreError> {
        let commands: [&[&[u8]]; 6] = [
            &[b"PING"],
            &[b"XADD", key, b"MINID", b"~", b"0", b"*", FIELD, b"check"],
            &[b"PEXPIRE", key, b"60000"],
            &[b"XRANGE", key, b"-", b"+"],
            &[b"XREVRANGE", key, b"+", b"-", b"COUNT", b"1"],
            &[b"XREAD", b"COUNT", b"1", b"STREAMS", key, b"0"],
        ];
        for words in commands {
            self.done(words).await?;
        }
        Ok(())
    }

    async fn done(&self, words: &[&[u8]]) -> Result<Answer, StoreError> {
        let name = words.first().copied().unwrap_or_default();
        self.server.run(words, FIRST_LIMIT).await?.1.accepted(&String::from_utf8_lossy(name))
    }

    /// Returns the id of the bus on a run of Redis. It has a fixed length, whatever Redis says.
    fn bus_of(&self, run: &str) -> String {
        hex(digest(&SHA256, format!("{run} {} {}", self.db, self.key).as_bytes()).as_ref())
    }
}
