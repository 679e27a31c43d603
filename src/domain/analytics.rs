//! The queries behind the figures of the site.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::analytics::{AnalyticsSource, Figure, Question, Topic};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::license::LicenseHandle;
use time::{Date, Duration as Days, Month};

use crate::store::{Count, Db, EXTRA, PEOPLE, STANDARD, Series};

/// The figures that the server itself knows. The route fills in their values.
const LIVE: [&str; 3] = ["total_websocket_connections", "total_master_db_connections", "total_read_db_connections"];

/// The figure after which those are listed.
const BEFORE_LIVE: &str = "team_count";

const GUESTS: &str = "single_channel_guest_count";

/// The edition whose licence does not include guests.
const WITHOUT_GUESTS: &str = "entry";

/// The source of the figures: the database of the server.
pub(crate) struct Statistics {
    db: Db,
    config: ConfigHandle,
    license: LicenseHandle,
    /// The timeout of one statement.
    limit: Duration,
}

impl Statistics {
    pub(crate) fn new(db: Db, config: ConfigHandle, license: LicenseHandle, limit: Duration) -> Self {
        Self { db, config, license, limit }
    }
}

impl AnalyticsSource for Statistics {
    fn count(&self, question: Question) -> BoxFuture<'static, Result<Vec<Figure>, AppError>> {
        let license = self.license.current();
        let is_licensed = license.is_some_and(|license| license.sku_short_name != WITHOUT_GUESTS);
        let config = self.config.current();
        let has_guests = is_licensed && config.view.guests.enable;
        let counting = Counting { db: self.db.clone(), config, limit: self.limit, question, now_ms: wall_ms() };
        async move {
            match counting.question.topic {
                Topic::Standard => counting.standard(has_guests).await,
                Topic::Extra => counting.all(&EXTRA).await,
                Topic::PostsByDay => counting.by_day(Series::Posts).await,
                Topic::BotPostsByDay => counting.by_day(Series::BotPosts).await,
                Topic::AuthorsByDay => counting.authors().await,
            }
        }
        .boxed()
    }
}

/// One request for figures.
struct Counting {
    db: Db,
    config: Arc<Config>,
    limit: Duration,
    question: Question,
    now_ms: i64,
}

impl Counting {
    async fn standard(&self, has_guests: bool) -> Result<Vec<Figure>, AppError> {
        let mut figures = Vec::new();
        for count in &STANDARD {
            let is_void = count.name == GUESTS && !has_guests;
            figures.push(if is_void { figure(GUESTS, 0) } else { self.one(count).await? });
            if count.name == BEFORE_LIVE {
                figures.extend(LIVE.map(|name| figure(name, 0)));
            }
        }
        Ok(figures)
    }

    async fn all(&self, counts: &[Count]) -> Result<Vec<Figure>, AppError> {
        let mut figures = Vec::new();
        for count in counts {
            figures.push(self.one(count).await?);
        }
        Ok(figures)
    }

    async fn one(&self, count: &Count) -> Result<Figure, AppError> {
        let value = self.db.figure(count, &self.question.team_id, self.now_ms, self.limit).await;
        Ok(figure(count.name, value.or_fail(count.failure)?))
    }

    /// Counts authors by day. Returns -1 if the site has more users than the settings allow for this query.
    async fn authors(&self) -> Result<Vec<Figure>, AppError> {
        let people = self.db.figure(&PEOPLE, "", self.now_ms, self.limit).await.or_fail(PEOPLE.failure)?;
        if people > self.config.view.analytics.max_users_for_statistics {
            return Ok(vec![figure("", -1)]);
        }
        self.by_day(Series::Authors).await
    }

    async fn by_day(&self, series: Series) -> Result<Vec<Figure>, AppError> {
        let failure = match series {
            Series::Posts | Series::BotPosts => "app.post.analytics_posts_count_by_day.app_error",
            Series::Authors => "app.post.analytics_user_counts_posts_by_day.app_error",
        };
        let days = self.db.by_day(series, &self.question.team_id, self.now_ms, self.limit).await.or_fail(failure)?;
        Ok(days.into_iter().map(|(day, value)| Figure { name: name_of(day).into(), value }).collect())
    }
}

fn figure(name: &'static str, value: i64) -> Figure {
    Figure { name: name.into(), value }
}

/// Returns a day, counted from 1970-01-01, as `YYYY-MM-DD`.
fn name_of(day: i64) -> String {
    let first = Date::from_calendar_date(1970, Month::January, 1).ok();
    let date = first.and_then(|first| first.checked_add(Days::days(day)));
    date.map(|date| date.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_in_the_form_that_clients_sort_by() {
        assert_eq!((name_of(0), name_of(20_454)), ("1970-01-01".to_owned(), "2026-01-01".to_owned()));
    }
}
