//! The rounds of a run: of the target alone, or of two servers that take turns.

use std::time::Duration;

use super::compared::{Ratio, ratios};
use super::contender::{Choice, Contender, with_notes};
use super::interrupt::Interrupt;
use super::mix::Mix;
use super::options::Options;
use super::report::Side;
use crate::cores::Cores;

type Failure = Box<dyn std::error::Error>;

/// The warm-up of each round after the first of a server.
const NEXT_WARMUP: Duration = Duration::from_millis(500);

/// The name of the bare handler.
const BASELINE: &str = "baseline";

/// The names of the sides: the target, or the target with and without attackers.
const TARGET: &str = "target";
const ATTACKED: &str = "under attack";
const CALM: &str = "without attackers";

/// Carries all rounds out and closes the servers, also after an error.
pub(crate) async fn carry_out(
    options: &Options,
    mix: &Mix,
    interrupt: &mut Interrupt,
) -> Result<(Vec<Side>, Vec<Ratio>), Failure> {
    let choice = Choice::target(&options.target, options.binary.as_deref())?;
    let cores = options.cores()?;
    let mut contenders = vec![Contender::open(options, mix, &choice, true, cores, interrupt).await?];
    let measured = match add_other(options, mix, &mut contenders, cores, interrupt).await {
        Ok(()) => all_rounds(options, mix, &mut contenders, interrupt).await,
        Err(cause) => Err(cause),
    };
    let sides = measured.and_then(|()| sides(options, mix, &contenders));
    let figures: Vec<_> = contenders.iter().map(Contender::rounds).collect();
    let mut notes = Vec::new();
    for contender in contenders {
        notes.push(contender.close(interrupt).await);
    }
    let mut sides = sides.map_err(|cause| with_notes(&cause, &notes.concat()))?;
    for (side, notes) in sides.iter_mut().zip(notes) {
        side.outcome.accounts = notes;
    }
    let ratios = match figures.as_slice() {
        [target, other] => ratios(target, other, options.seed),
        _ => Vec::new(),
    };
    Ok((sides, ratios))
}

/// Opens the server that the target is compared with.
async fn add_other(
    options: &Options,
    mix: &Mix,
    contenders: &mut Vec<Contender>,
    cores: Cores,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    if let (Some(_), Some(target)) = (&mix.attack, contenders.first()) {
        let calm = target.calm().await?;
        contenders.push(calm);
    }
    let Some(versus) = &options.versus else { return Ok(()) };
    let other = match contenders.first() {
        Some(target) if versus == BASELINE => target.bare(mix, options.seed).await?,
        _ => Contender::open(options, mix, &Choice::other(versus)?, false, cores, interrupt).await?,
    };
    contenders.push(other);
    Ok(())
}

/// Lets the servers take turns: A B B A A B B A, so that neither gains from a machine that becomes slower or faster.
async fn all_rounds(
    options: &Options,
    mix: &Mix,
    contenders: &mut [Contender],
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let rounds = options.rounds(mix);
    let duration = options.duration(mix) / rounds;
    for round in 0..rounds {
        // Attackers need time to connect, and the server to recover.
        let warmup = if round == 0 || mix.attack.is_some() { options.warmup } else { options.warmup.min(NEXT_WARMUP) };
        let mut order: Vec<&mut Contender> = contenders.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for contender in order {
            // A round without a duration would have a part in the ratios.
            if interrupt.is_requested() && contender.has_rounds() {
                continue;
            }
            contender.round(options, mix, (warmup, duration), interrupt).await?;
        }
        if interrupt.is_requested() {
            return Ok(());
        }
    }
    Ok(())
}

fn sides(options: &Options, mix: &Mix, contenders: &[Contender]) -> Result<Vec<Side>, Failure> {
    let other = options.versus.clone().unwrap_or_else(|| CALM.to_owned());
    let target = if mix.attack.is_some() { ATTACKED } else { TARGET };
    let names = [target.to_owned(), other];
    let sides = names.into_iter().zip(contenders);
    sides.map(|(name, contender)| Ok(Side { name, outcome: contender.outcome(mix)? })).collect()
}
