//! `GET /config/schema`: the description of all settings and of the pages that they stand on: an extension of the API.

use std::ops::Not;

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::description::{Condition, conditions, description, pages};
use quarterdeck_actors::config::lockout::can_lock_out;
use quarterdeck_actors::config::reentry::companions;
use quarterdeck_actors::config::rules::bounds;
use quarterdeck_actors::config::table::{Applies, Kind, Setting, settings};
use quarterdeck_actors::error::AppError;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::never_cached;
use crate::domain::config_access::{may_change, reads, require_any_read};
use crate::domain::session::Session;
use crate::web::answer::{Json, Reply};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The settings that the caller may read, and the pages with such settings.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigDescription)]
pub(crate) struct Described<'a> {
    /// The pages of the System Console, in the order of the menu.
    pages: Vec<DescribedPage>,
    /// The settings, sorted by path.
    settings: Vec<DescribedSetting<'a>>,
}

/// A page of the System Console.
#[derive(Serialize, ToSchema)]
struct DescribedPage {
    /// The address below `/admin_console/`.
    address: &'static str,
    /// The heading of its part of the menu.
    category: &'static str,
    /// The name in the menu.
    label: &'static str,
}

/// A setting, without its value.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "they are members of the response")]
struct DescribedSetting<'a> {
    /// The path, such as `ServiceSettings.SiteURL`. `[]` stands for each element of a list, and a name in angle
    /// brackets for each key of a map.
    path: &'static str,
    /// The address of its page.
    page: &'static str,
    /// The name on the page.
    label: &'static str,
    /// One or two sentences about its effect.
    help: &'static str,
    /// The meaning of an empty value, if it is special.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    empty: Option<&'static str>,
    /// A valid value, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    example: Option<&'static str>,
    /// The usual mistake, its effect, and the way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    mistake: Option<&'static str>,
    /// The type of its value.
    r#type: Kind,
    /// True if it can be unset, which is written as null.
    nullable: bool,
    /// The value of a server on which it was never set.
    default: Value,
    /// The unit of its number: `ms`, `s`, `min`, `h`, `d`, `B` (bytes) or `px` (pixels).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    unit: Option<&'static str>,
    /// The smallest number that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    minimum: Option<i64>,
    /// The largest number that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    maximum: Option<i64>,
    /// The texts with an effect. Others are refused, or have none.
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    choices: &'static [&'static str],
    /// True if it is a secret, whose value no response has.
    secret: bool,
    /// For a secret, the settings that name the host it is sent to. It must be entered again if one of them changes.
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    companions: &'static [&'static str],
    /// The time at which a change takes effect.
    applies: Applies,
    /// True if this server acts on it; the others are stored, and sent to the clients that need them.
    acted_on: bool,
    /// The conditions under which it has an effect. All of them must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shown_when: Vec<Condition>,
    /// True if a wrong value can lock administrators out.
    #[serde(skip_serializing_if = "Not::not")]
    can_lock_out: bool,
    /// True if the caller may change it now: permitted, not restricted, and not pinned.
    writable: bool,
    /// The file and line, or the environment variable, that pins it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pinned_by: Option<&'a str>,
}

pub(crate) const SHOW: Operation = Description::new(
    Tag::Configuration,
    "GetConfigSchema",
    "Describes the settings that the caller may read, and the pages of the System Console that they stand on.",
)
.details("An extension of the API. Needs any permission to read the system console. The values are left out.")
.responses(&[Response::json(200, Type::of::<Described<'_>>(), "The pages and settings.")])
.refusals(&[403])
.handled_by(handler!(show));

/// `GET /config/schema`: describes the settings that the caller may read.
pub(crate) async fn show(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    require_any_read(&session)?;
    let config = app.actors.config.current();
    let readable = settings().values().filter(|setting| reads(&session, setting));
    let settings: Vec<DescribedSetting<'_>> = readable
        .filter_map(|setting| {
            let mut described = described(setting)?;
            described.writable = may_change(&session, &config, &setting.path);
            described.pinned_by = config.overrides.get(&setting.path).map(|pinned| pinned.place.as_str());
            Some(described)
        })
        .collect();
    let is_used = |address: &str| settings.iter().any(|setting| setting.page == address);
    let pages = pages().iter().filter(|page| is_used(page.address));
    let pages =
        pages.map(|page| DescribedPage { address: page.address, category: page.category, label: page.label }).collect();
    Json(Described { pages, settings }).reply().map(never_cached)
}

fn described<'a>(setting: &'static Setting) -> Option<DescribedSetting<'a>> {
    let texts = description(&setting.path)?;
    let bounds = bounds(&setting.path);
    Some(DescribedSetting {
        path: &setting.path,
        page: texts.page,
        label: texts.label,
        help: texts.help,
        empty: texts.empty,
        example: texts.example,
        mistake: texts.mistake,
        r#type: setting.kind,
        nullable: setting.nullable,
        default: setting.default_value(),
        unit: setting.unit.as_deref(),
        minimum: bounds.least,
        maximum: bounds.max,
        choices: bounds.choices,
        secret: setting.mask.is_some(),
        companions: companions(&setting.path),
        applies: setting.applies,
        acted_on: setting.acted_on,
        shown_when: conditions(&setting.path).collect(),
        can_lock_out: can_lock_out(&setting.path),
        writable: false,
        pinned_by: None,
    })
}
