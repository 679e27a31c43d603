//! The routes that show figures: those of the site, such as numbers of users and posts, and those of this server.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::http::header::{AGE, HeaderValue};
use actix_web::web::Data;
use quarterdeck_actors::analytics::{Figure, Question, Topic};
use quarterdeck_actors::error::AppError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::session::Session;
use crate::web::answer::{Answer, Json, Reply};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::server_figures::ServerFigures;
use crate::web::state::AppState;

/// A figure of the site.
#[derive(Serialize, ToSchema)]
#[schema(as = AnalyticsRow)]
pub(super) struct Row<'a> {
    /// The name of the figure, or the day.
    name: &'a str,
    /// The figure.
    value: i64,
}

pub(super) const LIST: Operation =
    Description::new(Tag::Environment, "GetAnalyticsOld", "Returns the analytics of the site.")
        .details(
            "Needs the permission `get_analytics`. The figures are cached for some time; the header \
             `Age` tells their age in seconds.",
        )
        .queries(&[
            Query::optional(
                "name",
                Type::OneOf(&[
                    "standard",
                    "bot_post_counts_day",
                    "post_counts_day",
                    "user_counts_with_posts_day",
                    "extra_counts",
                ]),
                "The figures to return. The default is `standard`.",
            ),
            Query::optional("team_id", Type::String, "Counts only this team."),
        ])
        .responses(&[Response::json(200, Type::List(&Type::of::<Row<'_>>()), "The figures.")])
        .refusals(&[400, 403, 500, 503])
        .handled_by(handler!(list));

/// `GET /analytics/old`: returns the figures of a topic. `Age` says how many seconds ago they were counted.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("get_analytics")?;
    let name = request.query("name").unwrap_or_else(|| "standard".to_owned());
    let topic = Topic::named(&name).ok_or_else(|| AppError::invalid_body("name"))?;
    let question = Question { topic, team_id: request.query("team_id").unwrap_or_default() };
    let counted = request.while_awaited(app.actors.analytics.answer(question)).await??;
    let rows: Vec<Row<'_>> = counted.figures.iter().map(|figure| row(figure, &app)).collect();
    let mut answer = Json(rows).reply()?;
    answer.headers_mut().insert(AGE, HeaderValue::from(counted.age().as_secs()));
    Ok(answer)
}

/// Returns a figure. Figures that the server knows without its database have their current value.
fn row<'a>(figure: &'a Figure, app: &AppState) -> Row<'a> {
    let live = match figure.name.as_ref() {
        "total_websocket_connections" => i64::try_from(app.actors.hub.counts().sockets.load(Ordering::Relaxed)).ok(),
        "total_master_db_connections" => i64::try_from(app.db.pool().open).ok(),
        _ => None,
    };
    Row { name: &figure.name, value: live.unwrap_or(figure.value) }
}

pub(super) const SHOW_SERVER: Operation =
    Description::new(Tag::Environment, "GetServerFigures", "Returns figures of this server over the last hour.")
        .details(
            "An extension of the API. Needs the permission `get_analytics`. The server keeps a sample for each 10 seconds \
             of the last hour, or since its start, in memory. With several servers on one database, the figures are those \
             of the server that answers.",
        )
        .queries(&[Query::optional(
            "after",
            Type::Integer,
            "The number of the last sample that the caller knows; only later ones are returned.",
        )])
        .responses(&[Response::json(200, Type::of::<ServerFigures>(), "The figures.")])
        .refusals(&[400, 403])
        .handled_by(handler!(show_server));

/// `GET /analytics/server`: returns the samples of the last hour, or those after one.
pub(super) async fn show_server(request: Request, session: Session, app: Data<AppState>) -> Answer<ServerFigures> {
    session.require("get_analytics")?;
    let known = match request.query("after") {
        Some(text) => text.parse::<i64>().map_err(|_| AppError::invalid_url("after"))?,
        None => 0,
    };
    Ok(Json(ServerFigures::after(u64::try_from(known).unwrap_or_default(), &app)))
}
