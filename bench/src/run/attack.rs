//! Attackers beside the ordinary clients of a run: which kinds, the facts about them, and the verdict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::compared::Ratio;
use super::mix::Count;
use super::outcome::Outcome;
use crate::attack::kind::{Attack, KINDS, Kind, Target};

type Failure = Box<dyn std::error::Error>;

/// The maximum number of attackers of a kind.
const MAX_ATTACKERS: u64 = 2000;

/// The number of addresses of this machine that attackers connect from.
const ADDRESSES: u64 = 200;

/// The attackers of a mix file, and what the ordinary clients must not notice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hostile {
    /// The maximum ratio of the p99 of the ordinary clients to that without attackers.
    pub(crate) max_p99_ratio: MaxRatio,
    /// The number of attackers of each kind.
    attackers: BTreeMap<KindName, Count<MAX_ATTACKERS>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct MaxRatio(f64);

impl TryFrom<f64> for MaxRatio {
    type Error = String;

    fn try_from(ratio: f64) -> Result<Self, String> {
        let is_ratio = (1.0..=1000.0).contains(&ratio);
        if is_ratio { Ok(Self(ratio)) } else { Err(format!("{ratio} is not between 1 and 1000")) }
    }
}

/// The name of a kind that needs no account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct KindName(String);

impl TryFrom<String> for KindName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let names = || KINDS.iter().filter(|kind| kind.is_anonymous).map(|kind| kind.name);
        let is_known = names().any(|known| known == name);
        let all = || names().collect::<Vec<_>>().join(", ");
        if is_known { Ok(Self(name)) } else { Err(format!("`{name}` is not a kind of attack; there are {}", all())) }
    }
}

/// The attempts of one kind.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AttackFacts {
    pub(crate) kind: String,
    pub(crate) attackers: u64,
    pub(crate) attempts: u64,
    /// The number of attempts that ended without a response.
    pub(crate) without_response: u64,
    pub(crate) statuses: Vec<StatusCount>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct StatusCount {
    pub(crate) status: u16,
    pub(crate) count: u64,
}

impl Hostile {
    /// Returns the number of attackers.
    pub(crate) fn count(&self) -> u64 {
        self.attackers.values().map(|count| count.0).sum()
    }

    /// Refuses a server that is not on this machine. No permission of an operator changes that.
    pub(crate) fn permit(address: &Address) -> Result<(), Failure> {
        if address.tls.is_some() {
            return Err("the attackers speak no TLS; name the server by http".into());
        }
        let is_permitted = address.is_loopback() && address.resolved.iter().all(std::net::SocketAddr::is_ipv4);
        if is_permitted {
            return Ok(());
        }
        Err("a scenario with attackers loads a server of this machine only; name it by 127.0.0.1".into())
    }

    /// Starts the attackers, which go on until they are stopped.
    pub(super) fn start(&self, address: &Address) -> Result<Attack, Failure> {
        let address = address.resolved.first().ok_or("no address")?.to_string();
        let target = Target::of_this_machine(address, ADDRESSES);
        Ok(Attack::start(target, self.kinds()))
    }

    /// Returns the kind of each attacker.
    fn kinds(&self) -> Vec<&'static Kind> {
        let rows = self.attackers.iter().filter_map(|(name, count)| {
            let kind = KINDS.iter().find(|kind| kind.name == name.0)?;
            Some(std::iter::repeat_n(kind, usize::try_from(count.0).ok()?))
        });
        rows.flatten().collect()
    }

    /// Returns the facts about the attackers of several rounds.
    pub(super) fn facts<'a>(&self, rounds: impl Iterator<Item = &'a crate::attack::kind::Tallies>) -> Vec<AttackFacts> {
        let mut all = crate::attack::kind::Tallies::new();
        for (name, tally) in rounds.flatten() {
            all.entry(name).or_default().add(tally);
        }
        let facts = |(KindName(kind), count): (&KindName, &Count<MAX_ATTACKERS>)| {
            let tally = all.get(kind.as_str()).cloned().unwrap_or_default();
            let statuses = tally.statuses.iter().map(|(status, count)| StatusCount { status: *status, count: *count });
            AttackFacts {
                kind: kind.clone(),
                attackers: count.0,
                attempts: tally.attempts,
                without_response: tally.refused,
                statuses: statuses.collect(),
            }
        };
        self.attackers.iter().map(facts).collect()
    }

    /// Returns the reasons why the server does not bear the attack.
    pub(crate) fn reasons(&self, attacked: &Outcome, ratios: &[Ratio]) -> Vec<String> {
        let mut reasons = Vec::new();
        let MaxRatio(max) = self.max_p99_ratio;
        match ratios.iter().find(|ratio| ratio.figure == "p99") {
            Some(Ratio { ratio, .. }) if *ratio > max => {
                reasons.push(format!(
                    "the p99 of the ordinary clients is {ratio:.2} times that without attackers, more than {max}"
                ));
            }
            Some(_) => {}
            None => reasons.push("the ratio of the p99 is unknown".to_owned()),
        }
        for named in &attacked.requests {
            for cause in &named.summary.failures {
                reasons.push(format!("{} × {}: {} under attack", cause.count, named.name, cause.text()));
            }
        }
        reasons
    }
}

impl AttackFacts {
    /// Describes the attempts.
    pub(crate) fn text(&self) -> String {
        let statuses = self.statuses.iter().map(|one| format!(", {} × {}", one.count, one.status));
        let statuses: String = statuses.collect();
        let Self { attackers, attempts, without_response, .. } = self;
        format!("{attackers} attackers, {attempts} attempts{statuses}, {without_response} × no response")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::mix::Mix;
    use crate::run::report::tests::outcome;

    const MIX: &str = "format = 1\nabout = \"A test.\"\nload = { rate = 1 }\n[[request]]\nname = \"one\"\npath = \"/\"\n\
                       [attack]\nmax_p99_ratio = 2\n[attack.attackers]\nhead-slow = 3\nlogin-one-name = 2\n";

    fn hostile() -> Hostile {
        Mix::read(MIX).unwrap().attack.unwrap()
    }

    #[test]
    fn attackers_have_kinds_without_accounts() {
        let hostile = hostile();
        let kinds: Vec<_> = hostile.kinds().iter().map(|kind| kind.name).collect();
        assert_eq!(kinds, ["head-slow", "head-slow", "head-slow", "login-one-name", "login-one-name"]);
        assert_eq!(hostile.count(), 5);
        for (old, new) in [("head-slow", "config-long-list"), ("= 3", "= 2001"), ("ratio = 2", "ratio = 0")] {
            assert!(Mix::read(&MIX.replace(old, new)).is_err(), "{new}");
        }
    }

    #[tokio::test]
    async fn no_permission_extends_an_attack_to_another_machine() {
        for (url, is_permitted) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9:1", true),
            ("http://[::1]:1", false),
            ("http://192.0.2.1:1", false),
        ] {
            let address = Address::resolve(url, None).await.unwrap();
            assert_eq!(Hostile::permit(&address).is_ok(), is_permitted, "{url}");
        }
    }

    #[test]
    fn a_slow_percentile_and_each_failure_are_reasons() {
        let ratio = |ratio| vec![Ratio { figure: "p99", ratio, low: 0.1, high: 9.0 }];
        let reasons = hostile().reasons(&outcome(5), &ratio(2.5));
        assert!(reasons.len() == 2 && reasons[0].contains("2.50 times"), "{reasons:?}");
        assert!(reasons[1].starts_with("10 × one: 503"), "{reasons:?}");
        let mut calm = outcome(5);
        calm.requests.clear();
        assert!(hostile().reasons(&calm, &ratio(1.9)).is_empty());
        assert_eq!(hostile().reasons(&calm, &[]).len(), 1);
    }
}
