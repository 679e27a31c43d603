//! The route table: method, path, class, handler.

use crate::web::socket;

use super::route::{Route, delete, get, post, put};
use super::{
    ai_bridge, analytics, audits, busy, caches, config, database, email, files, health, images, license, links, login,
    logs, manual_test, metrics, notices, notifications, onboarding, openapi, preferences, releases, roles, sessions,
    site_url, status, support_packet, teams, tokens, trial_license, upgrade, users,
};

/// Returns every route. A known path with another method is answered 404, because clients rely on that.
#[expect(clippy::too_many_lines, reason = "one row a route")]
pub(super) fn table() -> Vec<Route> {
    vec![
        // Health checks, metrics and the front page.
        get("/", health::front_page).open().probe(),
        get("/livez", health::live).anonymous().probe(),
        get("/readyz", health::ready).anonymous().probe(),
        get("/startupz", health::started).anonymous().probe(),
        get("/metrics", metrics::show).anonymous().probe(),
        // The description of the API.
        get("/api/v4/openapi.json", openapi::show).open(),
        get("/api/v4/openapi", openapi::page).open(),
        get("/api/v4/openapi/{file}", openapi::part).open(),
        // The system.
        get("/api/v4/system/ping", health::ping).open().probe().on_socket(),
        get("/api/v4/system/timezones", health::timezones),
        post("/api/v4/site_url/test", site_url::test).reading("testSiteURL"),
        post("/api/v4/notifications/ack", notifications::receipts::acknowledge).reading("notificationAck"),
        get("/api/v4/system/support_packet", support_packet::show)
            .on_socket()
            .audited("generateSupportPacket")
            .always(),
        get("/api/v4/audits", audits::list).audited("getAudits"),
        get("/api/v4/audits/{audit_id}", audits::show).audited("getAudit"),
        post("/api/v4/server_busy", busy::mark).on_socket().audited("setServerBusy"),
        get("/api/v4/server_busy", busy::show).on_socket(),
        delete("/api/v4/server_busy", busy::clear).on_socket().audited("clearServerBusy"),
        post("/api/v4/email/test", email::test).audited("testEmail"),
        post("/api/v4/notifications/test", notifications::test).audited("testNotification"),
        get("/api/v4/system/notices/{team_id}", notices::list),
        // `view` is not the id of a team, so this request is refused like any invalid id.
        get("/api/v4/system/notices/view", notices::list),
        put("/api/v4/system/notices/view", notices::view).audited("updateViewedProductNotices"),
        get("/api/v4/system/onboarding/complete", onboarding::show).audited("getOnboarding"),
        post("/api/v4/system/onboarding/complete", onboarding::complete).audited("completeOnboarding"),
        get("/api/v4/websocket", socket::open).open().trusting(),
        get("/api/v4/websocket/", socket::open).open().trusting(),
        post("/api/v4/upgrade_to_enterprise", upgrade::begin).audited("upgradeToEnterprise"),
        get("/api/v4/upgrade_to_enterprise/status", upgrade::show),
        get("/api/v4/upgrade_to_enterprise/allowed", upgrade::check),
        post("/api/v4/restart", upgrade::restart).audited("restartServer"),
        // For end-to-end tests of clients.
        get("/manualtest", manual_test::run).open().audited("manualTest").always(),
        put("/api/v4/system/e2e/ai_bridge", ai_bridge::replace).audited("setAIBridgeTestHelper"),
        get("/api/v4/system/e2e/ai_bridge", ai_bridge::show),
        delete("/api/v4/system/e2e/ai_bridge", ai_bridge::reset).audited("deleteAIBridgeTestHelper"),
        // The server's dependencies.
        post("/api/v4/file/test", files::test).reading("testFileStoreConnection"),
        post("/api/v4/file/s3_test", files::test).reading("testS3Connection"),
        get("/api/v4/system/schema/version", database::list_migrations)
            .on_socket()
            .audited("getAppliedSchemaMigrations"),
        post("/api/v4/database/recycle", database::recycle).audited("databaseRecycle"),
        post("/api/v4/integrity", database::check).only_on_socket().audited("localCheckIntegrity"),
        post("/api/v4/caches/invalidate", caches::invalidate).audited("invalidateCaches"),
        // Logs and analytics.
        get("/api/v4/logs", logs::list).on_socket().audited("getLogs").always(),
        get("/api/v4/logs/download", logs::download).audited("downloadLogs").always(),
        post("/api/v4/logs/query", logs::query).audited("queryLogs"),
        post("/api/v4/logs", logs::record).open().reading("postLog"),
        get("/api/v4/analytics/old", analytics::list),
        // Requests to other sites.
        get("/api/v4/latest_version", releases::show_latest),
        get("/api/v4/redirect_location", links::show).trusting(),
        get("/api/v4/image", images::show).trusting(),
        // Configuration and licence.
        get("/api/v4/config", config::document::show).on_socket().audited("getConfig"),
        put("/api/v4/config", config::document::replace).on_socket().audited("updateConfig"),
        put("/api/v4/config/patch", config::document::patch).on_socket().audited("patchConfig"),
        get("/api/v4/config/environment", config::document::show_pinned),
        get("/api/v4/config/provenance", config::origins::list).on_socket(),
        get("/api/v4/config/pending_restart", config::origins::list_pending).on_socket(),
        get("/api/v4/config/versions", config::versions::list).on_socket(),
        get("/api/v4/config/versions/{version_id}", config::versions::show).on_socket(),
        get("/api/v4/config/versions/{version_id}/difference/{other_id}", config::versions::compare).on_socket(),
        post("/api/v4/config/versions/{version_id}/rollback", config::versions::roll_back)
            .on_socket()
            .audited("rollbackConfig"),
        post("/api/v4/config/reload", config::reload).on_socket().audited("configReload"),
        post("/api/v4/config/migrate", config::migrate::migrate).only_on_socket().audited("migrateConfig"),
        get("/api/v4/config/client", config::show_to_clients).open().probe().on_socket(),
        post("/api/v4/license", license::install).taking_files().on_socket().audited("addLicense"),
        delete("/api/v4/license", license::remove).on_socket().audited("removeLicense"),
        get("/api/v4/license/client", license::show_to_clients).open().probe().on_socket(),
        get("/api/v4/license/load_metric", license::show_load),
        post("/api/v4/trial-license", trial_license::install).audited("requestTrialLicense"),
        get("/api/v4/trial-license/prev", trial_license::show_previous),
        // Login and logout.
        post("/api/v4/users/login", login::login).open().audited("login"),
        post("/api/v4/users/logout", login::logout).open().audited("logout").ending_sessions(),
        // Accounts.
        post("/api/v4/users", users::create).open().on_socket().audited("createUser"),
        get("/api/v4/users/{user_id}", users::show).on_socket(),
        get("/api/v4/users", users::list::list).on_socket(),
        post("/api/v4/users/ids", users::list::with_ids).on_socket().reading("getUsersByIds"),
        post("/api/v4/users/usernames", users::list::named).reading("getUsersByNames"),
        post("/api/v4/users/search", users::list::search).waiting().reading("searchUsers"),
        get("/api/v4/users/stats", users::list::stats),
        get("/api/v4/users/stats/filtered", users::list::filtered_stats),
        get("/api/v4/users/known", users::list::acquaintances),
        get("/api/v4/users/username/{username}", users::show_named).on_socket(),
        get("/api/v4/users/email/{email}", users::show_with_email).on_socket(),
        put("/api/v4/users/{user_id}", users::edit::replace).on_socket().audited("updateUser"),
        put("/api/v4/users/{user_id}/patch", users::edit::patch).audited("patchUser"),
        put("/api/v4/users/{user_id}/password", users::password::replace).on_socket().audited("updatePassword"),
        put("/api/v4/users/{user_id}/active", users::active::replace).on_socket().audited("updateUserActive"),
        put("/api/v4/users/{user_id}/roles", users::roles::replace).on_socket().audited("updateUserRoles"),
        delete("/api/v4/users/{user_id}", users::active::remove).on_socket().audited("deleteUser"),
        post("/api/v4/users/{user_id}/email/verify/member", users::verify_email)
            .on_socket()
            .audited("verifyUserEmailWithoutToken"),
        post("/api/v4/users/{user_id}/reset_failed_attempts", users::password::reset_failed_attempts)
            .audited("resetPasswordFailedAttempts"),
        // Sessions.
        get("/api/v4/users/{user_id}/sessions", sessions::list),
        post("/api/v4/users/{user_id}/sessions/revoke", sessions::revoke).audited("revokeSession").ending_sessions(),
        post("/api/v4/users/{user_id}/sessions/revoke/all", sessions::revoke_all_of_user)
            .audited("revokeAllSessionsForUser")
            .ending_sessions(),
        post("/api/v4/users/sessions/revoke/all", sessions::revoke_all)
            .audited("revokeAllSessionsAllUsers")
            .ending_sessions(),
        put("/api/v4/users/sessions/device", sessions::attach_device).audited("attachDeviceId"),
        // Personal access tokens.
        get("/api/v4/users/{user_id}/tokens", tokens::list_of_user).on_socket(),
        post("/api/v4/users/{user_id}/tokens", tokens::create).on_socket().audited("createUserAccessToken"),
        get("/api/v4/users/tokens", tokens::list),
        get("/api/v4/users/tokens/{token_id}", tokens::show),
        post("/api/v4/users/tokens/search", tokens::search).reading("searchUserAccessTokens"),
        post("/api/v4/users/tokens/revoke", tokens::revoke)
            .on_socket()
            .audited("revokeUserAccessToken")
            .ending_sessions(),
        post("/api/v4/users/tokens/disable", tokens::disable).audited("disableUserAccessToken").ending_sessions(),
        post("/api/v4/users/tokens/enable", tokens::enable).audited("enableUserAccessToken"),
        // Statuses of users.
        get("/api/v4/users/{user_id}/status", status::show),
        put("/api/v4/users/{user_id}/status", status::save).audited("updateUserStatus"),
        post("/api/v4/users/status/ids", status::list).reading("getUserStatusesByIds"),
        // Preferences.
        get("/api/v4/users/{user_id}/preferences", preferences::list).on_socket(),
        put("/api/v4/users/{user_id}/preferences", preferences::save).on_socket().audited("updatePreferences"),
        post("/api/v4/users/{user_id}/preferences/delete", preferences::delete)
            .on_socket()
            .audited("deletePreferences"),
        get("/api/v4/users/{user_id}/preferences/{category}", preferences::list_category).on_socket(),
        get("/api/v4/users/{user_id}/preferences/{category}/name/{name}", preferences::show).on_socket(),
        // Teams.
        get("/api/v4/users/{user_id}/teams", teams::list_of_user),
        get("/api/v4/users/{user_id}/teams/members", teams::list_memberships),
        get("/api/v4/users/{user_id}/teams/unread", teams::list_unread),
        get("/api/v4/teams", teams::list).on_socket(),
        post("/api/v4/teams", teams::create).on_socket().audited("createTeam"),
        get("/api/v4/teams/{team_id}", teams::show).on_socket(),
        get("/api/v4/teams/name/{team_name}", teams::show_named).on_socket(),
        get("/api/v4/teams/name/{team_name}/exists", teams::exists),
        get("/api/v4/teams/{team_id}/members", teams::list_members),
        post("/api/v4/teams/{team_id}/members", teams::add_member).on_socket().audited("addTeamMember"),
        get("/api/v4/teams/{team_id}/members/{user_id}", teams::show_member),
        // Roles.
        get("/api/v4/roles", roles::list).on_socket(),
        get("/api/v4/roles/{role_id}", roles::show).on_socket().trusting(),
        get("/api/v4/roles/name/{role_name}", roles::show_named).on_socket().trusting(),
        post("/api/v4/roles/names", roles::list_named).on_socket().trusting().reading("getRolesByNames"),
    ]
}
