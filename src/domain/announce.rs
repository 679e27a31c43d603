//! What happened, told to those who are connected: each function is one event of the WebSocket.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::hub::{Event, HubHandle};
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::presence::StatusAudience;
use serde::Serialize;
use serde_json::{Value, json};
use tracing::warn;

use crate::base::post::{DirectChannel, Post};
use crate::base::preference::Preference;
use crate::base::user::User;
use crate::store::Db;

/// Whether the settings let guests in.
pub(crate) fn has_guests(config: &Config) -> bool {
    let section = config.document.get("GuestAccountsSettings");
    section.and_then(|section| section.get("Enable")).and_then(Value::as_bool).unwrap_or_default()
}

/// Tells people what they are seen as.
pub(crate) struct Statuses(pub(crate) HubHandle);

impl StatusAudience for Statuses {
    fn announce(&self, user_id: &str, status: &str) -> BoxFuture<'static, ()> {
        let event = Event::new("status_change", json!({ "status": status, "user_id": user_id })).for_user(user_id);
        let hub = self.0.clone();
        async move { hub.publish(event).await }.boxed()
    }
}

/// Somebody has an account now.
pub(crate) async fn new_user(hub: &HubHandle, user: &User) {
    hub.publish(Event::new("new_user", json!({ "user_id": user.id }))).await;
}

/// An account is not what it was: everybody is told as much as they may see.
pub(crate) async fn user_updated(hub: &HubHandle, config: &Config, user: &User) {
    let event = |view: Value| Event::new("user_updated", json!({ "user": view }));
    let views = [value(&user.for_admin()), value(&user.for_others(config)), value(&user.for_owner())];
    let [for_admin, for_others, for_owner] = views.map(event);
    hub.publish(for_admin.without_user(&user.id).sensitive()).await;
    hub.publish(for_others.without_user(&user.id).sanitized()).await;
    hub.publish(for_owner.for_user(&user.id)).await;
}

/// An account was activated or deactivated.
pub(crate) async fn user_switched(hub: &HubHandle, config: &Config, user: &User) {
    user_updated(hub, config, user).await;
    hub.publish(Event::new("user_activation_status_change", json!({}))).await;
}

/// Somebody's system roles are now these.
pub(crate) async fn roles_changed(hub: &HubHandle, user_id: &str, roles: &str) {
    let data = json!({ "user_id": user_id, "roles": roles });
    hub.publish(Event::new("user_role_updated", data).for_user(user_id)).await;
}

/// Somebody is in a team now, and hears of what happens there.
pub(crate) async fn added_to_team((hub, db): (&HubHandle, &Db), team_id: &str, user_id: &str) {
    join_channels((hub, db), user_id).await;
    let data = json!({ "team_id": team_id, "user_id": user_id });
    hub.publish(Event::new("added_to_team", data).for_user(user_id)).await;
}

/// Has the sockets of somebody hear of the teams and channels that they are in now.
async fn join_channels((hub, db): (&HubHandle, &Db), user_id: &str) {
    let epoch = hub.epoch();
    match db.memberships_of(user_id).await {
        Ok(memberships) => log(hub.change_memberships(user_id, epoch, memberships).await),
        Err(cause) => warn!(%cause, "the sockets of a new member hear of the place when they connect again"),
    }
}

/// Two people have a channel for themselves now, and hear of what happens there.
pub(crate) async fn direct_added(
    (hub, db): (&HubHandle, &Db),
    channel: &DirectChannel,
    creator_id: &str,
    teammate_id: &str,
) {
    for user_id in [creator_id, teammate_id] {
        join_channels((hub, db), user_id).await;
    }
    let data = json!({ "creator_id": creator_id, "teammate_id": teammate_id });
    hub.publish(Event::new("direct_added", data).for_channel(&channel.id)).await;
}

/// Somebody wrote to `recipient_id`, in the channel of the two.
pub(crate) async fn posted(hub: &HubHandle, channel: &DirectChannel, post: &Post, sender: &User, recipient_id: &str) {
    let name = format!("@{}", sender.username);
    // The message and the list are text within the text: so it has always been.
    let data = json!({
        "channel_display_name": name,
        "channel_name": channel.name,
        "channel_type": "D",
        "mentions": json!([recipient_id]).to_string(),
        "post": post.text_in(&channel.id),
        "sender_name": name,
        "set_online": false,
        "team_id": "",
    });
    hub.publish(Event::new("posted", data).for_channel(&channel.id)).await;
}

/// Somebody prefers other things now.
pub(crate) async fn preferences_changed(hub: &HubHandle, user_id: &str, preferences: &[Preference]) {
    preferences_event(hub, "preferences_changed", user_id, preferences).await;
}

/// Somebody prefers nothing in particular any more.
pub(crate) async fn preferences_deleted(hub: &HubHandle, user_id: &str, preferences: &[Preference]) {
    preferences_event(hub, "preferences_deleted", user_id, preferences).await;
}

async fn preferences_event(hub: &HubHandle, name: &'static str, user_id: &str, preferences: &[Preference]) {
    hub.publish(Event::new("sidebar_category_updated", json!({})).for_user(user_id)).await;
    // As text within the text: so it has always been.
    let text = String::from_utf8(to_json(&preferences).unwrap_or_default()).unwrap_or_default();
    hub.publish(Event::new(name, json!({ "preferences": text })).for_user(user_id)).await;
}

fn value(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}

/// What was asked for is done; only those who are connected may not have heard of it.
pub(crate) fn log(told: Result<(), AppError>) {
    if let Err(cause) = told {
        warn!(%cause, "a hub was not told of a change");
    }
}
