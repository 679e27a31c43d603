//! A server under test with the accounts of the run.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::accounts::Accounts;
use super::engine::{Pace, Plan, Run};
use super::interrupt::Interrupt;
use super::mix::{Auth, Mix};
use super::options::Options;
use super::outcome::{Load, Outcome};
use super::prepared::Prepared;
use super::round;
use super::silent::SilentHost;
use super::target::{self, Target};
use super::template::Variable;
use super::usage::{Meter, Usage};
use crate::cores::Pinned;

type Failure = Box<dyn std::error::Error>;

/// The number of users of an open loop, and the timeout of a request, unless mix or command line say otherwise.
const DEFAULT_USERS: u64 = 32;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum length of a file with a token, in bytes.
const MAX_TOKEN_BYTES: u64 = 4096;

pub(crate) struct Contender {
    target: Target,
    accounts: Accounts,
}

impl Contender {
    /// Starts the server, or checks that the running one may be loaded, and creates the accounts.
    pub(crate) async fn open(options: &Options, mix: &Mix) -> Result<Self, Failure> {
        let target = open(options, mix).await?;
        match callers(options, mix, &target).await {
            Ok(accounts) => Ok(Self { target, accounts }),
            Err(cause) => {
                target.end().await?;
                Err(cause)
            }
        }
    }

    /// Carries the load out once.
    pub(crate) async fn measure(
        &mut self,
        options: &Options,
        mix: &Mix,
        interrupt: &mut Interrupt,
    ) -> Result<Outcome, Failure> {
        let silent = SilentHost::open().await?;
        let plan = plan(options, mix, &self.target);
        let count = u64::try_from(self.accounts.users.len())?;
        let load = Load::new(&plan, count);
        let (address, accounts) = (&self.target.address, self.accounts.clone());
        let prepared = Prepared::new(mix, accounts, &address.host, &address.prefix, silent.address(), options.seed);
        let names: Vec<_> = prepared.requests.iter().map(|one| (one.name.clone(), one.background > 0)).collect();
        let mut meter = match self.target.pid {
            Some(pid) => Some(Meter::new(pid, self.target.postgres().await?)),
            None => None,
        };
        let run = Run::new(plan, prepared)?;
        let ended = round::carry_out(&run, meter.as_mut(), interrupt).await?;
        let recorder = run.recorder.borrow();
        let requests = recorder.requests.iter().map(|figures| figures.count).sum();
        let cores = std::thread::available_parallelism()?.get();
        let usage = meter.and_then(|meter| Usage::of(&meter.readings, requests, cores));
        let facts = self.target.facts.clone();
        let mut outcome = Outcome::new(facts, load, &names, &recorder, &ended.saturation, usage);
        outcome.is_interrupted = ended.is_interrupted;
        Ok(outcome)
    }

    /// Removes the accounts and ends an own server, also after an error. The outcome tells what became of the accounts.
    pub(crate) async fn close(mut self, measured: Result<Outcome, Failure>) -> Result<Outcome, Failure> {
        let notes = self.accounts.remove(&self.target.address).await;
        self.target.end().await?;
        match measured {
            Ok(mut outcome) => {
                outcome.accounts = notes;
                Ok(outcome)
            }
            Err(cause) if notes.is_empty() => Err(cause),
            Err(cause) => Err(format!("{cause}; {}", notes.join("; ")).into()),
        }
    }
}

/// Starts the server, or checks that the running one may be loaded with this mix.
async fn open(options: &Options, mix: &Mix) -> Result<Target, Failure> {
    if options.target != target::OWN {
        let is_for_own = options.binary.is_some() || options.database.is_some() || options.pin;
        if is_for_own {
            return Err("--binary, --database and --pin are for a new server; leave --target out".into());
        }
        if let (Some(changes), false) = (&mix.changes, options.allow_changes) {
            let changes = &changes.0;
            return Err(
                format!("the scenario leaves a change behind: {changes} To permit it, add --allow-changes").into()
            );
        }
        return Target::running(&options.target, options.pid, options.i_operate_this_server).await;
    }
    if options.token_file.is_some() || options.pid.is_some() {
        return Err("--token-file and --pid are for a running server; name it with --target".into());
    }
    let program = match &options.binary {
        Some(program) => program.clone(),
        None => target::program_beside()?,
    };
    let database = options.database.as_ref();
    if !options.pin {
        return Target::start(&program, database).await;
    }
    let pinned = Pinned::server()?;
    let started = Target::start(&program, database).await;
    pinned.generator()?;
    started
}

/// Creates the accounts that a mix needs.
async fn callers(options: &Options, mix: &Mix, target: &Target) -> Result<Accounts, Failure> {
    let needs_password = mix.uses(&[Variable::UserName, Variable::UserPassword]);
    let needs_user = needs_password || mix.calls_as(Auth::User) || mix.uses(&[Variable::UserId]);
    let needs_admin = mix.calls_as(Auth::Admin) || mix.uses(&[Variable::AdminId]);
    if !needs_user && !needs_admin {
        return Accounts::none();
    }
    let wanted = options.accounts.or(mix.load.accounts.map(|count| count.0)).unwrap_or(1);
    let count = if needs_user { wanted.min(users(options, mix)) } else { 0 };
    if target.is_own() {
        return Accounts::on_new_server(&target.address, count).await;
    }
    let Some(file) = &options.token_file else {
        return Err(
            "the scenario needs accounts; name a file with the token of an administrator with --token-file".into()
        );
    };
    let mut accounts = Accounts::with_token(&target.address, &token(file)?, count).await?;
    let lacks_admin = (needs_admin || needs_password) && accounts.admin.is_none();
    if !lacks_admin {
        return Ok(accounts);
    }
    accounts.remove(&target.address).await;
    Err("the scenario needs the token of an administrator; the given one is that of another user".into())
}

fn token(file: &Path) -> Result<String, Failure> {
    let explain = |cause: std::io::Error| format!("{}: {cause}", file.display());
    let mut token = String::new();
    File::open(file).map_err(explain)?.take(MAX_TOKEN_BYTES).read_to_string(&mut token).map_err(explain)?;
    let token = token.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { Ok(token.to_owned()) } else { Err(format!("{} holds no token", file.display()).into()) }
}

/// Returns the number of connections that a run opens.
pub(crate) fn connections(options: &Options, mix: &Mix) -> u64 {
    let background = mix.requests.iter().filter_map(|request| request.background);
    users(options, mix) + background.map(|count| count.0).sum::<u64>()
}

fn users(options: &Options, mix: &Mix) -> u64 {
    let of_command = options.concurrency.or(options.users);
    let of_mix = mix.load.concurrency.or(mix.load.users).map(|count| count.0);
    of_command.or(of_mix).unwrap_or(DEFAULT_USERS)
}

fn plan(options: &Options, mix: &Mix, target: &Target) -> Plan {
    let of_mix = mix.load.rate.filter(|_| options.concurrency.is_none()).map(|rate| rate.0);
    let pace = options.rate.or(of_mix).map_or(Pace::Closed, |per_second| Pace::Open { per_second });
    Plan {
        addresses: target.address.resolved.clone(),
        pace,
        users: users(options, mix),
        warmup: options.warmup,
        duration: options.duration,
        timeout: options.timeout.or(mix.load.timeout.map(|span| span.0)).unwrap_or(DEFAULT_TIMEOUT),
        seed: options.seed,
    }
}
