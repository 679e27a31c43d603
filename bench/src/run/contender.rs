//! A server under test with the accounts of the run, and its rounds.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::accounts::Accounts;
use super::attack::Hostile;
use super::callers::callers;
use super::compared::RoundFigures;
use super::deliveries::Deliveries;
use super::engine::{Plan, Run};
use super::http;
use super::interrupt::{ENDED_BY_USER, Interrupt};
use super::load::{DEFAULT_TIMEOUT, plan, sockets};
use super::mix::{Method, Mix};
use super::options::Options;
use super::outcome::{Load, Outcome};
use super::prepared::Prepared;
use super::quantile;
use super::recorder::Recorder;
use super::round;
use super::saturation::Saturation;
use super::silent::SilentHost;
use super::sockets::Sockets;
use super::target::{self, Target};
use super::template::Variable;
use super::usage::{self, Meter, Reading, Usage};
use crate::attack::kind::{Attack, Tallies};
use crate::cores::Cores;
use crate::report::{rate, to_float};

type Failure = Box<dyn std::error::Error>;

/// The server of a contender.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Choice {
    /// A new server of a program.
    Own(PathBuf),
    /// A server that runs already.
    Running(String),
}

pub(crate) struct Contender {
    target: Target,
    accounts: Accounts,
    silent: SilentHost,
    sockets: Option<Sockets>,
    deliveries: Option<Rc<Deliveries>>,
    rounds: Vec<Round>,
    attacks: bool,
    cores: Cores,
}

struct Round {
    load: Load,
    recorder: Recorder,
    saturation: Saturation,
    readings: Vec<Reading>,
    is_interrupted: bool,
    /// The results of the attackers, if there were some.
    attack: Option<Tallies>,
}

impl Choice {
    /// Reads the target: `self`, which is the program `binary`, or a URL.
    pub(crate) fn target(text: &str, binary: Option<&Path>) -> Result<Self, Failure> {
        if text == target::OWN {
            return Ok(Self::Own(binary.map_or_else(target::program_beside, |program| Ok(program.to_owned()))?));
        }
        if text.contains("://") {
            return Ok(Self::Running(text.to_owned()));
        }
        Err(format!("`{text}` is neither `self` nor a URL such as http://127.0.0.1:8065; --binary names a program")
            .into())
    }

    /// Reads the server to compare with: a URL, or the path of a program.
    pub(crate) fn other(text: &str) -> Result<Self, Failure> {
        if text.contains("://") {
            return Ok(Self::Running(text.to_owned()));
        }
        if Path::new(text).is_file() {
            return Ok(Self::Own(PathBuf::from(text)));
        }
        Err(format!("`{text}` is neither a program, nor a URL such as http://127.0.0.1:8065, nor `baseline`").into())
    }
}

impl Contender {
    /// Starts the server, or checks that the running one may be loaded, and creates the accounts.
    ///
    /// `is_target` is false for the server that the target is compared with.
    pub(crate) async fn open(
        options: &Options,
        mix: &Mix,
        choice: &Choice,
        is_target: bool,
        cores: Cores,
        interrupt: &mut Interrupt,
    ) -> Result<Self, Failure> {
        let pid = options.pid.filter(|_| is_target);
        let token_file = if is_target { &options.token_file } else { &options.versus_token_file };
        let target = open(options, mix, choice, pid, cores, interrupt).await?;
        let opened = match SilentHost::open().await {
            Ok(silent) => {
                let accounts = callers(options, mix, &target, token_file.as_deref(), interrupt).await;
                accounts.map(|accounts| (silent, accounts))
            }
            Err(cause) => Err(cause.into()),
        };
        match opened {
            Ok((silent, accounts)) => {
                let attacks = mix.attack.is_some();
                let deliveries = None;
                let contender =
                    Self { target, accounts, silent, sockets: None, deliveries, rounds: Vec::new(), attacks, cores };
                let contender = contender.with_deliveries(mix, interrupt).await?;
                contender.with_sockets(sockets(options, mix), interrupt).await
            }
            Err(cause) => Err(with_notes(&cause, &ended(target).await)),
        }
    }

    /// Opens the sockets that a mix has beside its requests.
    async fn with_sockets(mut self, count: u64, interrupt: &mut Interrupt) -> Result<Self, Failure> {
        if count == 0 {
            return Ok(self);
        }
        let opened = tokio::select! {
            opened = Sockets::open(&self.target.address, &self.accounts, count, self.target.pid) => opened,
            () = interrupt.requested() => Err(ENDED_BY_USER.into()),
        };
        match opened {
            Ok(sockets) => {
                self.sockets = Some(sockets);
                Ok(self)
            }
            Err(cause) => Err(with_notes(&cause, &self.close(interrupt).await)),
        }
    }

    /// Opens the sockets of the accounts at the other nodes of a cluster.
    async fn with_deliveries(mut self, mix: &Mix, interrupt: &mut Interrupt) -> Result<Self, Failure> {
        let Some(cluster) = mix.cluster else { return Ok(self) };
        let others = self.target.others();
        let opened = tokio::select! {
            opened = Deliveries::open(&others, &self.accounts, cluster) => opened,
            () = interrupt.requested() => Err(ENDED_BY_USER.into()),
        };
        match opened {
            Ok(deliveries) => {
                self.deliveries = Some(Rc::new(deliveries));
                Ok(self)
            }
            Err(cause) => Err(with_notes(&cause, &self.close(interrupt).await)),
        }
    }

    /// Carries the load out once more.
    pub(crate) async fn round(
        &mut self,
        options: &Options,
        mix: &Mix,
        (warmup, duration): (Duration, Duration),
        interrupt: &mut Interrupt,
    ) -> Result<(), Failure> {
        let plan = Plan { warmup, duration, ..plan(options, mix, &self.target) };
        let load = Load::new(&plan, u64::try_from(self.accounts.users.len())?);
        let mut meter = match self.target.pid {
            Some(pid) => Some(Meter::new(pid, self.target.postgres().await?)),
            None => None,
        };
        let run = Run::new(plan, self.prepared(mix, options.seed))?;
        let attack = mix.attack.as_ref().filter(|_| self.attacks).map(|attack| attack.start(&self.target.address));
        let attack = attack.transpose()?;
        let ended = round::carry_out(&run, meter.as_mut(), interrupt).await?;
        let attack = attack.map(Attack::stop).transpose()?;
        self.rounds.push(Round {
            load,
            recorder: run.into_recorder().ok_or("a user did not end")?,
            saturation: ended.saturation,
            readings: meter.map(|meter| meter.readings).unwrap_or_default(),
            is_interrupted: ended.is_interrupted,
            attack,
        });
        Ok(())
    }

    /// Starts the bare handler with the response that this server gives to the only request of the mix.
    pub(crate) async fn bare(&self, mix: &Mix, seed: u64) -> Result<Self, Failure> {
        if self.target.address.tls.is_some() {
            return Err("the baseline has no TLS, so it cannot be compared with an https address".into());
        }
        let prepared = self.prepared(mix, seed);
        let (request, path) = match (prepared.requests.as_slice(), mix.requests.as_slice()) {
            ([prepared], [request]) if request.method == Method::Get && request.socket.is_none() => {
                (prepared, request.path.0.fixed())
            }
            _ => return Err("only a scenario with a single GET has a baseline".into()),
        };
        let path = path.ok_or("a scenario whose path has variables has no baseline")?;
        let mut bytes = Vec::new();
        prepared.write(request, 0, 0, &mut bytes);
        let answer = http::raw(&self.target.address.remote(), &bytes, DEFAULT_TIMEOUT).await?;
        self.cores.bind_to_servers()?;
        let target = Target::bare(path.split('?').next().unwrap_or_default(), &answer).await;
        self.cores.bind_to_generator()?;
        self.beside(target?).await
    }

    /// Returns the same server without the attackers of the mix.
    pub(crate) async fn calm(&self) -> Result<Self, Failure> {
        self.beside(self.target.shared()).await
    }

    /// Returns a side with this target and the accounts of this one, without sockets and attackers.
    async fn beside(&self, target: Target) -> Result<Self, Failure> {
        let accounts = Accounts { created: Vec::new(), ..self.accounts.clone() };
        let (silent, cores) = (SilentHost::open().await?, self.cores);
        Ok(Self {
            target,
            accounts,
            silent,
            sockets: None,
            deliveries: None,
            rounds: Vec::new(),
            attacks: false,
            cores,
        })
    }

    fn prepared(&self, mix: &Mix, seed: u64) -> Prepared {
        let address = &self.target.address;
        let (accounts, silent) = (self.accounts.clone(), self.silent.address());
        let mut prepared = Prepared::new(mix, accounts, &address.host, &address.prefix, silent, seed);
        prepared.deliveries.clone_from(&self.deliveries);
        prepared.first_publication = Deliveries::first_of(self.rounds.len());
        prepared
    }

    /// Drops the rounds so far.
    pub(crate) fn clear(&mut self) {
        self.rounds.clear();
    }

    pub(crate) fn has_rounds(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// Returns the figures of each round.
    pub(crate) fn rounds(&self) -> Vec<RoundFigures> {
        self.rounds.iter().map(Round::figures).collect()
    }

    /// Returns the outcome of all rounds together.
    pub(crate) fn outcome(&self, mix: &Mix) -> Result<Outcome, Failure> {
        let (first, later) = self.rounds.split_first().ok_or("the run ended before its first round")?;
        let mut recorder = first.recorder.clone();
        let mut saturation = first.saturation;
        for round in later {
            recorder.absorb(&round.recorder)?;
            saturation = saturation.worse(round.saturation);
        }
        let readings: Vec<_> = self.rounds.iter().map(|round| round.readings.clone()).collect();
        let usage = Usage::of(&usage::joined(&readings), recorder.responses_in_time, self.cores.count);
        let names: Vec<_> = mix.requests.iter().map(|one| (one.name.0.clone(), one.background.is_some())).collect();
        let (mut facts, load) = (self.target.facts.clone(), first.load.clone());
        let lacks_postgres = usage.as_ref().is_none_or(|usage| usage.postgres_cpu_ms.is_none());
        if facts.engine == Some(target::POSTGRESQL) && lacks_postgres {
            facts.unknown.push(
                "The processor time of PostgreSQL is unknown, because this machine does not show its sessions."
                    .to_owned(),
            );
        }
        let ended = self.deliveries.as_ref().map_or(0, |deliveries| deliveries.ended());
        if ended > 0 {
            facts.unknown.push(format!("{ended} sockets at other nodes ended during the run."));
        }
        let mut outcome = Outcome::new(facts, load, &names, &recorder, &saturation, usage);
        outcome.sockets = self.sockets.as_ref().map(Sockets::facts);
        outcome.visits = mix.requests.iter().any(|request| request.socket.is_some()).then(|| recorder.visits());
        let attack = mix.attack.as_ref().filter(|_| self.attacks);
        outcome.attack =
            attack.map(|attack| attack.facts(self.rounds.iter().filter_map(|round| round.attack.as_ref())));
        outcome.is_interrupted = self.rounds.iter().any(|round| round.is_interrupted);
        Ok(outcome)
    }

    /// Removes the accounts and ends an own server. Returns sentences about the accounts, and about a database that is
    /// left.
    pub(crate) async fn close(mut self, interrupt: &mut Interrupt) -> Vec<String> {
        drop(self.sockets.take());
        let mut notes = self.accounts.remove(&self.target.address, interrupt).await;
        notes.extend(ended(self.target).await);
        notes
    }
}

/// Ends an own server. Returns a sentence about its database if that is left.
async fn ended(target: Target) -> Vec<String> {
    target
        .end()
        .await
        .err()
        .map(|cause| format!("the database of the run could not be dropped: {cause}"))
        .into_iter()
        .collect()
}

/// Returns an error with sentences about accounts and databases.
pub(super) fn with_notes(cause: &Failure, notes: &[String]) -> Failure {
    [&[cause.to_string()][..], notes].concat().join("; ").into()
}

impl Round {
    fn figures(&self) -> RoundFigures {
        let (recorder, latency) = (&self.recorder, &self.recorder.total.latency);
        let at = |quantile| quantile::at(latency, quantile).map(to_float);
        // The number of cores has no part in the processor time of a request.
        let usage = Usage::of(&self.readings, recorder.responses_in_time, 1);
        RoundFigures {
            mean_us: latency.mean(),
            p50_us: at(0.5),
            p95_us: at(0.95),
            p99_us: at(0.99),
            throughput_per_s: rate(recorder.succeeded_in_time, recorder.measured()),
            cpu_us: usage.and_then(|usage| usage.cpu_us_per_request),
        }
    }
}

/// Starts the server, or checks that the running one may be loaded with this mix.
async fn open(
    options: &Options,
    mix: &Mix,
    choice: &Choice,
    pid: Option<u32>,
    cores: Cores,
    interrupt: &mut Interrupt,
) -> Result<Target, Failure> {
    let program = match choice {
        Choice::Own(program) => program,
        Choice::Running(url) => {
            if let (Some(changes), false) = (&mix.changes, options.allow_changes) {
                let changes = &changes.0;
                return Err(format!(
                    "the scenario leaves a change behind: {changes} To permit it, add --allow-changes"
                )
                .into());
            }
            // A name may be resolved slowly, and a server may not answer.
            let target = tokio::select! {
                target = Target::running(url, options.ca.as_deref(), pid, options.i_operate_this_server) => target?,
                () = interrupt.requested() => return Err(ENDED_BY_USER.into()),
            };
            if mix.attack.is_some() {
                Hostile::permit(&target.address)?;
            }
            if mix.uses(&[Variable::SilentHost]) && !target.address.is_loopback() {
                return Err("the silent host of the scenario can be reached from this machine only".into());
            }
            return Ok(target);
        }
    };
    let database = options.database.as_ref();
    let nodes = mix.cluster.map(|cluster| options.nodes.unwrap_or(cluster.nodes.0));
    cores.bind_to_servers()?;
    let started = Target::start(program, database, nodes, interrupt).await;
    cores.bind_to_generator()?;
    started
}
