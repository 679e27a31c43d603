//! WebSocket events: each function publishes one event to the connected clients.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::hub::{Event, HubHandle};
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::presence::StatusAudience;
use quarterdeck_actors::roles::Role;
use serde::Serialize;
use serde_json::{Value, json};
use tracing::warn;

use crate::base::post::{DirectChannel, Post};
use crate::base::preference::Preference;
use crate::base::team::{Member, MemberView, Team};
use crate::base::user::User;
use crate::store::Db;

/// Publishes the statuses of users.
pub(crate) struct Statuses(pub(crate) HubHandle);

impl StatusAudience for Statuses {
    fn announce(&self, user_id: &str, status: &str) -> BoxFuture<'static, ()> {
        let event = Event::new("status_change", json!({ "status": status, "user_id": user_id })).for_user(user_id);
        let hub = self.0.clone();
        async move { hub.publish(event).await }.boxed()
    }
}

/// Publishes that an account was created.
pub(crate) async fn new_user(hub: &HubHandle, user: &User) {
    hub.publish(Event::new("new_user", json!({ "user_id": user.id }))).await;
}

/// Publishes that an account changed. Each client gets the fields that its user may see.
pub(crate) async fn user_updated(hub: &HubHandle, config: &Config, user: &User) {
    let event = |view: Value| Event::new("user_updated", json!({ "user": view }));
    let views = [value(&user.for_admin()), value(&user.for_others(config)), value(&user.for_owner())];
    let [for_admin, for_others, for_owner] = views.map(event);
    hub.publish(for_admin.without_user(&user.id).sensitive()).await;
    hub.publish(for_others.without_user(&user.id).sanitized()).await;
    hub.publish(for_owner.for_user(&user.id)).await;
}

/// Publishes that an account was activated or deactivated.
pub(crate) async fn user_switched(hub: &HubHandle, config: &Config, user: &User) {
    user_updated(hub, config, user).await;
    hub.publish(Event::new("user_activation_status_change", json!({}))).await;
}

/// Publishes a role whose permissions changed.
pub(crate) async fn role_updated(hub: &HubHandle, role: &Role) {
    // The role is JSON in a string, as clients expect it.
    let text = String::from_utf8(to_json(role).unwrap_or_default()).unwrap_or_default();
    hub.publish_here(Event::new("role_updated", json!({ "role": text }))).await;
}

/// Publishes the new system roles of a user.
pub(crate) async fn roles_changed(hub: &HubHandle, user_id: &str, roles: &str) {
    let data = json!({ "user_id": user_id, "roles": roles });
    hub.publish(Event::new("user_role_updated", data).for_user(user_id)).await;
}

/// Publishes that a user joined a team and its channels, and subscribes the user's sockets to their events.
pub(crate) async fn joined_team((hub, db): (&HubHandle, &Db), team_id: &str, user_id: &str) {
    join_channels((hub, db), user_id).await;
    // Clients get it twice, as from Mattermost: for the membership and for the request that made it.
    for _ in 0..2 {
        added_to_team(hub, team_id, user_id).await;
    }
    let channels = db.channels_of_member(team_id, user_id).await.unwrap_or_else(|cause| {
        warn!(%cause, "the channels of a new member could not be read; other members are not told that the user joined");
        Vec::new()
    });
    for channel_id in channels {
        let data = json!({ "team_id": team_id, "user_id": user_id });
        hub.publish(Event::new("user_added", data).for_channel(channel_id)).await;
    }
}

/// Publishes that a user was added to a team, also if the user was a member before.
pub(crate) async fn added_to_team(hub: &HubHandle, team_id: &str, user_id: &str) {
    let data = json!({ "team_id": team_id, "user_id": user_id });
    hub.publish(Event::new("added_to_team", data).for_user(user_id)).await;
}

/// Publishes to a team and to the user that the user left it. The sockets of the user get no more events of the team.
pub(crate) async fn left_team((hub, db): (&HubHandle, &Db), team_id: &str, user_id: &str) {
    let data = json!({ "user_id": user_id, "team_id": team_id });
    hub.publish(Event::new("leave_team", data).for_team(team_id).and_user(user_id)).await;
    join_channels((hub, db), user_id).await;
}

/// Publishes to a user the current memberships in teams, with their roles, and subscribes the user's sockets to the
/// events of all of them.
pub(crate) async fn memberships_changed((hub, db): (&HubHandle, &Db), user_id: &str, members: Vec<Member>) {
    join_channels((hub, db), user_id).await;
    for member in members.into_iter().filter(Member::is_active) {
        // The membership is JSON in a string, as clients expect it.
        let text = String::from_utf8(to_json(&MemberView::from(member)).unwrap_or_default()).unwrap_or_default();
        hub.publish(Event::new("memberrole_updated", json!({ "member": text })).for_user(user_id)).await;
    }
}

/// A change of a team that its members are told of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TeamEvent {
    Update,
    Delete,
    Restore,
    Scheme,
}

/// Publishes a changed team, without its address and its invitation id. All users are told that a team which they could
/// join was archived or restored; everything else is for members.
pub(crate) async fn team_changed(hub: &HubHandle, change: TeamEvent, team: &Team) {
    let (name, is_for_members) = match change {
        TeamEvent::Update => ("update_team", true),
        TeamEvent::Scheme => ("update_team_scheme", true),
        TeamEvent::Delete => ("delete_team", !team.is_open()),
        TeamEvent::Restore => ("restore_team", !team.is_open()),
    };
    let shown = Team { email: String::new(), invite_id: String::new(), ..team.clone() };
    // The team is JSON in a string, as clients expect it.
    let text = String::from_utf8(to_json(&shown).unwrap_or_default()).unwrap_or_default();
    let event = Event::new(name, json!({ "team": text }));
    hub.publish(if is_for_members { event.for_team(&team.id) } else { event }).await;
}

/// Subscribes the sockets of a user to the events of the user's current teams and channels.
async fn join_channels((hub, db): (&HubHandle, &Db), user_id: &str) {
    let epoch = hub.epoch();
    match db.memberships_of(user_id).await {
        Ok(memberships) => log(hub.change_memberships(user_id, epoch, memberships).await),
        Err(cause) => {
            warn!(
                %cause,
                "memberships could not be read; the user's WebSockets miss events of a new team or channel until \
                 they reconnect"
            );
        }
    }
}

/// Publishes that two users have a direct channel, and subscribes their sockets to its events.
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

/// Publishes a new post of a bot to `recipient_id`, in the direct channel of the two. Clients that acknowledge posts are
/// told to do so.
pub(crate) async fn posted(hub: &HubHandle, channel: &DirectChannel, post: &Post, sender: &User, recipient_id: &str) {
    let name = format!("@{}", sender.username);
    // The post and the list of mentions are JSON in a string, as clients expect them.
    let mut data = json!({
        "channel_display_name": name,
        "channel_name": channel.name,
        "channel_type": "D",
        "mentions": json!([recipient_id]).to_string(),
        "post": post.text_in(&channel.id),
        "sender_name": name,
        "set_online": false,
        "team_id": "",
    });
    let event = Event::new("posted", data.clone()).for_channel(&channel.id);
    if let Some(members) = data.as_object_mut() {
        members.insert("should_ack".to_owned(), true.into());
    }
    hub.publish(event.with_acknowledged(data)).await;
}

/// Publishes that a user is typing, to the other members of the channel.
pub(crate) async fn typing(hub: &HubHandle, user_id: &str, channel_id: &str, parent_id: &str) {
    let data = json!({ "parent_id": parent_id, "user_id": user_id });
    hub.publish(Event::new("typing", data).for_channel(channel_id).without_user(user_id)).await;
}

/// Publishes the changed preferences of a user.
pub(crate) async fn preferences_changed(hub: &HubHandle, user_id: &str, preferences: &[Preference]) {
    preferences_event(hub, "preferences_changed", user_id, preferences).await;
}

/// Publishes the deleted preferences of a user.
pub(crate) async fn preferences_deleted(hub: &HubHandle, user_id: &str, preferences: &[Preference]) {
    preferences_event(hub, "preferences_deleted", user_id, preferences).await;
}

async fn preferences_event(hub: &HubHandle, name: &'static str, user_id: &str, preferences: &[Preference]) {
    hub.publish(Event::new("sidebar_category_updated", json!({})).for_user(user_id)).await;
    // The list is JSON in a string, as clients expect it.
    let text = String::from_utf8(to_json(&preferences).unwrap_or_default()).unwrap_or_default();
    hub.publish(Event::new(name, json!({ "preferences": text })).for_user(user_id)).await;
}

fn value(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}

/// Logs a failed event. The change itself was made, so only connected clients may lack it.
pub(crate) fn log(told: Result<(), AppError>) {
    if let Err(cause) = told {
        warn!(%cause, "a WebSocket hub did not receive a change; its clients may miss it");
    }
}
