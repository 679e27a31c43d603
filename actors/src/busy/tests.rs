//! Tests of the flag with a simulated store and simulated clocks.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures_util::FutureExt;

use super::*;
use crate::waiting::until;

/// A stored row that a test can make unavailable.
#[derive(Default)]
struct Cell {
    until: watch::Sender<Option<i64>>,
    /// The time on the clock of the store, if it has one. A stored end is by that clock too.
    clock: watch::Sender<Option<i64>>,
    end: watch::Sender<Option<i64>>,
    is_away: AtomicBool,
}

impl BusyStore for Cell {
    fn load(&self) -> BoxFuture<'static, Result<Option<StoredEnd>, AppError>> {
        let is_away = self.is_away.load(Ordering::Relaxed);
        let left_ms = (*self.end.borrow()).zip(*self.clock.borrow()).map(|(end, now)| end - now);
        let stored = self.until.borrow().map(|wall| StoredEnd { wall, left_ms });
        let failed = || AppError::new("app.system.get.app_error");
        async move { if is_away { Err(failed()) } else { Ok(stored) } }.boxed()
    }

    fn save(&self, end: Option<StoredEnd>) -> BoxFuture<'static, Result<(), AppError>> {
        let is_away = self.is_away.load(Ordering::Relaxed);
        if !is_away {
            self.until.send_replace(end.map(|end| end.wall));
            let left_ms = end.and_then(|end| end.left_ms);
            self.end.send_replace(left_ms.zip(*self.clock.borrow()).map(|(left_ms, now)| now + left_ms));
        }
        let failed = || AppError::new("app.system.save.app_error");
        async move { if is_away { Err(failed()) } else { Ok(()) } }.boxed()
    }
}

/// Both clocks. They show the same time until a test moves one of them.
#[derive(Default)]
struct Times {
    wall: AtomicI64,
    uptime: AtomicI64,
}

impl Times {
    fn at(now: i64) -> Arc<Self> {
        Arc::new(Self { wall: now.into(), uptime: now.into() })
    }

    fn move_to(&self, wall: i64, uptime: i64) {
        self.wall.store(wall, Ordering::Relaxed);
        self.uptime.store(uptime, Ordering::Relaxed);
    }
}

async fn start(cell: &Arc<Cell>, times: &Arc<Times>) -> BusyHandle {
    let (wall, uptime) = (times.clone(), times.clone());
    let clock = Clock::new(
        move || wall.wall.load(Ordering::Relaxed),
        move || Uptime::from_ms(uptime.uptime.load(Ordering::Relaxed)),
    );
    BusyHandle::start(cell.clone(), clock).await.unwrap()
}

#[actix_rt::test]
async fn the_flag_is_up_until_its_end_and_no_longer() {
    let times = Times::at(0);
    let busy = start(&Arc::default(), &times).await;
    assert_eq!(busy.until(), None);
    busy.mark(1_000).await.unwrap();
    times.move_to(999, 999);
    assert_eq!(busy.until(), Some(1_000));
    times.move_to(1_000, 1_000);
    assert_eq!(busy.until(), None);
    busy.mark(2_000).await.unwrap();
    busy.clear().await.unwrap();
    assert_eq!(busy.until(), None);
}

#[actix_rt::test]
async fn a_step_of_the_wall_clock_neither_ends_the_flag_nor_prolongs_it() {
    let times = Times::at(0);
    let busy = start(&Arc::default(), &times).await;
    busy.mark(1_000).await.unwrap();
    for wall in [DAY_MS, -DAY_MS] {
        times.move_to(wall, 999);
        assert_eq!(busy.until(), Some(1_000));
        times.move_to(wall, 1_000);
        assert_eq!(busy.until(), None);
    }
}

#[actix_rt::test]
async fn the_next_start_finds_the_flag_up_until_its_end_and_down_once_it_was_taken_down() {
    let cell = Arc::default();
    start(&cell, &Times::at(0)).await.mark(1_000).await.unwrap();
    // The monotonic clock of a new process starts at zero.
    let times = Times::at(0);
    times.move_to(999, 0);
    let next = start(&cell, &times).await;
    assert_eq!(next.until(), Some(1_000));
    times.move_to(1_000, 1);
    assert_eq!(next.until(), None);
    assert_eq!(start(&cell, &times).await.until(), None);
    start(&cell, &Times::at(0)).await.clear().await.unwrap();
    assert_eq!(start(&cell, &Times::at(0)).await.until(), None);
}

#[actix_rt::test]
async fn what_cannot_be_stored_is_not_published() {
    let cell = Arc::default();
    let busy = start(&cell, &Times::at(0)).await;
    busy.mark(1_000).await.unwrap();
    cell.is_away.store(true, Ordering::Relaxed);
    assert_eq!(busy.mark(2_000).await.unwrap_err().id, "app.system.save.app_error");
    assert_eq!(busy.clear().await.unwrap_err().id, "app.system.save.app_error");
    assert_eq!(busy.until(), Some(1_000));
}

#[actix_rt::test]
async fn a_crash_costs_no_published_end() {
    let busy = start(&Arc::default(), &Times::at(0)).await;
    busy.mark(1_000).await.unwrap();
    busy.vitals().crash();
    until("the actor is rebuilt", async || busy.vitals().restarts() > 0).await;
    assert_eq!(busy.until(), Some(1_000));
    busy.mark(2_000).await.unwrap();
    assert_eq!(busy.until(), Some(2_000));
}

#[actix_rt::test]
async fn a_stored_end_further_away_than_anybody_can_ask_for_is_cut() {
    let cell = Arc::new(Cell::default());
    for (stored, expected) in [(i64::MAX, Some(MAX_BUSY_MS + 5)), (MAX_BUSY_MS, Some(MAX_BUSY_MS)), (5, None)] {
        cell.until.send_replace(Some(stored));
        assert_eq!(start(&cell, &Times::at(5)).await.until(), expected);
    }
    let busy = start(&cell, &Times::at(5)).await;
    busy.mark(i64::MAX).await.unwrap();
    assert_eq!((busy.until(), *cell.until.borrow()), (Some(MAX_BUSY_MS + 5), Some(MAX_BUSY_MS + 5)));
}

#[actix_rt::test]
async fn a_server_follows_what_another_one_set_and_cleared_once_it_reads_again() {
    let (cell, times) = (Arc::default(), Times::at(0));
    let (one, other) = (start(&cell, &times).await, start(&cell, &times).await);
    one.mark(1_000).await.unwrap();
    assert_eq!(other.until(), None);
    other.refresh().await.unwrap();
    assert_eq!(other.until(), Some(1_000));
    other.clear().await.unwrap();
    one.refresh().await.unwrap();
    assert_eq!((one.until(), other.until()), (None, None));
    other.clear().await.unwrap();
    one.mark(2_000).await.unwrap();
    other.refresh().await.unwrap();
    cell.is_away.store(true, Ordering::Relaxed);
    assert_eq!(other.refresh().await.unwrap_err().id, "app.system.get.app_error");
    assert_eq!(other.until(), Some(2_000), "what cannot be read changes nothing");
}

#[actix_rt::test]
async fn servers_whose_clocks_differ_by_a_minute_are_busy_for_the_same_time() {
    const MINUTE_MS: i64 = 60_000;
    for offset in [MINUTE_MS, -MINUTE_MS] {
        let cell = Arc::new(Cell::default());
        cell.clock.send_replace(Some(1_000_000));
        let (exact, off) = (Times::at(1_000_000), Times::at(1_000_000 + offset));
        let (one, other) = (start(&cell, &exact).await, start(&cell, &off).await);
        one.mark(1_010_000).await.unwrap();
        other.refresh().await.unwrap();
        let late = start(&cell, &off).await;
        for busy in [&other, &late] {
            off.move_to(0, 1_009_999 + offset);
            assert_eq!(busy.until(), Some(1_010_000), "shown as the server that set it shows it");
            off.move_to(0, 1_010_000 + offset);
            assert_eq!(busy.until(), None);
            off.move_to(1_000_000 + offset, 1_000_000 + offset);
        }
        // Read again, the end that is known stays as it is.
        cell.clock.send_replace(Some(1_005_000));
        off.move_to(1_009_000 + offset, 1_009_000 + offset);
        other.refresh().await.unwrap();
        off.move_to(0, 1_010_000 + offset);
        assert_eq!(other.until(), None);
    }
}
