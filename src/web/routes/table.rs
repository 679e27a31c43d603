//! The route table: method, path, handler, and what differs from the usual route.

use crate::web::socket;

use super::route::AuditEvent::{Always, EndsSessions, OnRefusal};
use super::route::Class::{Anonymous, Open};
use super::route::Listeners::{NetworkAndSocket, SocketOnly};
use super::route::LogLevel::Trace;
use super::route::{BodyLimit, Csrf, Route, WhileBusy, delete, get, handler, post, put};
use super::{
    ai_bridge, analytics, audits, busy, caches, config, database, email, files, health, images, license, links, login,
    logs, manual_test, metrics, notices, notifications, onboarding, openapi, preferences, releases, roles, sessions,
    site_url, status, support_packet, teams, tokens, trial_license, upgrade, users,
};

/// Every route. A known path with another method is answered 404, because clients rely on that.
pub(super) static TABLE: &[Route] = &[
    // Health checks, metrics and the front page.
    get("/", handler!(health::front_page)).class(Open).log_level(Trace),
    get("/livez", handler!(health::live)).class(Anonymous).log_level(Trace),
    get("/readyz", handler!(health::ready)).class(Anonymous).log_level(Trace),
    get("/startupz", handler!(health::started)).class(Anonymous).log_level(Trace),
    get("/metrics", handler!(metrics::show)).class(Anonymous).log_level(Trace),
    // The description of the API.
    get("/api/v4/openapi.json", handler!(openapi::show)).class(Open),
    get("/api/v4/openapi", handler!(openapi::page)).class(Open),
    get("/api/v4/openapi/{file}", handler!(openapi::part)).class(Open),
    // The system.
    get("/api/v4/system/ping", handler!(health::ping)).class(Open).log_level(Trace).listeners(NetworkAndSocket),
    get("/api/v4/system/timezones", handler!(health::timezones)),
    post("/api/v4/site_url/test", handler!(site_url::test), OnRefusal("testSiteURL")),
    post("/api/v4/notifications/ack", handler!(notifications::receipts::acknowledge), OnRefusal("notificationAck")),
    get("/api/v4/system/support_packet", handler!(support_packet::show))
        .listeners(NetworkAndSocket)
        .audit(Always("generateSupportPacket")),
    get("/api/v4/audits", handler!(audits::list)).audit(OnRefusal("getAudits")),
    get("/api/v4/audits/{audit_id}", handler!(audits::show)).audit(OnRefusal("getAudit")),
    post("/api/v4/server_busy", handler!(busy::mark), Always("setServerBusy")).listeners(NetworkAndSocket),
    get("/api/v4/server_busy", handler!(busy::show)).listeners(NetworkAndSocket),
    delete("/api/v4/server_busy", handler!(busy::clear), Always("clearServerBusy")).listeners(NetworkAndSocket),
    post("/api/v4/email/test", handler!(email::test), Always("testEmail")),
    post("/api/v4/notifications/test", handler!(notifications::test), Always("testNotification")),
    get("/api/v4/system/notices/{team_id}", handler!(notices::list)),
    // `view` is not the id of a team, so this request is refused like any invalid id.
    get("/api/v4/system/notices/view", handler!(notices::list)),
    put("/api/v4/system/notices/view", handler!(notices::view), Always("updateViewedProductNotices")),
    get("/api/v4/system/onboarding/complete", handler!(onboarding::show)).audit(OnRefusal("getOnboarding")),
    post("/api/v4/system/onboarding/complete", handler!(onboarding::complete), Always("completeOnboarding")),
    get("/api/v4/websocket", handler!(socket::open)).class(Open),
    get("/api/v4/websocket/", handler!(socket::open)).class(Open),
    post("/api/v4/upgrade_to_enterprise", handler!(upgrade::begin), Always("upgradeToEnterprise")),
    get("/api/v4/upgrade_to_enterprise/status", handler!(upgrade::show)),
    get("/api/v4/upgrade_to_enterprise/allowed", handler!(upgrade::check)),
    post("/api/v4/restart", handler!(upgrade::restart), Always("restartServer")),
    // For end-to-end tests of clients.
    get("/manualtest", handler!(manual_test::run)).class(Open).audit(Always("manualTest")),
    put("/api/v4/system/e2e/ai_bridge", handler!(ai_bridge::replace), Always("setAIBridgeTestHelper")),
    get("/api/v4/system/e2e/ai_bridge", handler!(ai_bridge::show)),
    delete("/api/v4/system/e2e/ai_bridge", handler!(ai_bridge::reset), Always("deleteAIBridgeTestHelper")),
    // The server's dependencies.
    post("/api/v4/file/test", handler!(files::test), OnRefusal("testFileStoreConnection")),
    post("/api/v4/file/s3_test", handler!(files::test), OnRefusal("testS3Connection")),
    get("/api/v4/system/schema/version", handler!(database::list_migrations))
        .listeners(NetworkAndSocket)
        .audit(OnRefusal("getAppliedSchemaMigrations")),
    post("/api/v4/database/recycle", handler!(database::recycle), Always("databaseRecycle")),
    post("/api/v4/integrity", handler!(database::check), Always("localCheckIntegrity")).listeners(SocketOnly),
    post("/api/v4/caches/invalidate", handler!(caches::invalidate), Always("invalidateCaches")),
    // Logs and analytics.
    get("/api/v4/logs", handler!(logs::list)).listeners(NetworkAndSocket).audit(Always("getLogs")),
    get("/api/v4/logs/download", handler!(logs::download)).audit(Always("downloadLogs")),
    post("/api/v4/logs/query", handler!(logs::query), Always("queryLogs")),
    post("/api/v4/logs", handler!(logs::record), OnRefusal("postLog")).class(Open),
    get("/api/v4/analytics/old", handler!(analytics::list)),
    // Requests to other sites.
    get("/api/v4/latest_version", handler!(releases::show_latest)),
    get("/api/v4/redirect_location", handler!(links::show)),
    get("/api/v4/image", handler!(images::show)),
    // Configuration and licence.
    get("/api/v4/config", handler!(config::document::show)).listeners(NetworkAndSocket).audit(OnRefusal("getConfig")),
    put("/api/v4/config", handler!(config::document::replace), Always("updateConfig")).listeners(NetworkAndSocket),
    put("/api/v4/config/patch", handler!(config::document::patch), Always("patchConfig")).listeners(NetworkAndSocket),
    get("/api/v4/config/environment", handler!(config::document::show_pinned)),
    get("/api/v4/config/provenance", handler!(config::origins::list)).listeners(NetworkAndSocket),
    get("/api/v4/config/pending_restart", handler!(config::origins::list_pending)).listeners(NetworkAndSocket),
    get("/api/v4/config/versions", handler!(config::versions::list)).listeners(NetworkAndSocket),
    get("/api/v4/config/versions/{version_id}", handler!(config::versions::show)).listeners(NetworkAndSocket),
    get("/api/v4/config/versions/{version_id}/difference/{other_id}", handler!(config::versions::compare))
        .listeners(NetworkAndSocket),
    post(
        "/api/v4/config/versions/{version_id}/rollback",
        handler!(config::versions::roll_back),
        Always("rollbackConfig"),
    )
    .listeners(NetworkAndSocket),
    post("/api/v4/config/reload", handler!(config::reload), Always("configReload")).listeners(NetworkAndSocket),
    post("/api/v4/config/migrate", handler!(config::migrate::migrate), Always("migrateConfig")).listeners(SocketOnly),
    get("/api/v4/config/client", handler!(config::show_to_clients))
        .class(Open)
        .log_level(Trace)
        .listeners(NetworkAndSocket),
    post("/api/v4/license", handler!(license::install), Always("addLicense"))
        .body_limit(BodyLimit::Files)
        .listeners(NetworkAndSocket),
    delete("/api/v4/license", handler!(license::remove), Always("removeLicense")).listeners(NetworkAndSocket),
    get("/api/v4/license/client", handler!(license::show_to_clients))
        .class(Open)
        .log_level(Trace)
        .listeners(NetworkAndSocket),
    get("/api/v4/license/load_metric", handler!(license::show_load)),
    post("/api/v4/trial-license", handler!(trial_license::install), Always("requestTrialLicense")),
    get("/api/v4/trial-license/prev", handler!(trial_license::show_previous)),
    // Login and logout.
    post("/api/v4/users/login", handler!(login::login), Always("login")).class(Open),
    post("/api/v4/users/logout", handler!(login::logout), EndsSessions("logout")).class(Open),
    // Accounts.
    post("/api/v4/users", handler!(users::create), Always("createUser")).class(Open).listeners(NetworkAndSocket),
    get("/api/v4/users/{user_id}", handler!(users::show)).listeners(NetworkAndSocket),
    get("/api/v4/users", handler!(users::list::list)).listeners(NetworkAndSocket),
    post("/api/v4/users/ids", handler!(users::list::with_ids), OnRefusal("getUsersByIds")).listeners(NetworkAndSocket),
    post("/api/v4/users/usernames", handler!(users::list::named), OnRefusal("getUsersByNames")),
    post("/api/v4/users/search", handler!(users::list::search), OnRefusal("searchUsers"))
        .while_busy(WhileBusy::Refused),
    get("/api/v4/users/stats", handler!(users::list::stats)),
    get("/api/v4/users/stats/filtered", handler!(users::list::filtered_stats)),
    get("/api/v4/users/known", handler!(users::list::acquaintances)),
    get("/api/v4/users/username/{username}", handler!(users::show_named)).listeners(NetworkAndSocket),
    get("/api/v4/users/email/{email}", handler!(users::show_with_email)).listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}", handler!(users::edit::replace), Always("updateUser")).listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/patch", handler!(users::edit::patch), Always("patchUser")),
    put("/api/v4/users/{user_id}/password", handler!(users::password::replace), Always("updatePassword"))
        .listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/active", handler!(users::active::replace), Always("updateUserActive"))
        .listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/roles", handler!(users::roles::replace), Always("updateUserRoles"))
        .listeners(NetworkAndSocket),
    delete("/api/v4/users/{user_id}", handler!(users::active::remove), Always("deleteUser"))
        .listeners(NetworkAndSocket),
    post(
        "/api/v4/users/{user_id}/email/verify/member",
        handler!(users::verify_email),
        Always("verifyUserEmailWithoutToken"),
    )
    .listeners(NetworkAndSocket),
    post(
        "/api/v4/users/{user_id}/reset_failed_attempts",
        handler!(users::password::reset_failed_attempts),
        Always("resetPasswordFailedAttempts"),
    ),
    // Sessions.
    get("/api/v4/users/{user_id}/sessions", handler!(sessions::list)),
    post("/api/v4/users/{user_id}/sessions/revoke", handler!(sessions::revoke), EndsSessions("revokeSession")),
    post(
        "/api/v4/users/{user_id}/sessions/revoke/all",
        handler!(sessions::revoke_all_of_user),
        EndsSessions("revokeAllSessionsForUser"),
    ),
    post(
        "/api/v4/users/sessions/revoke/all",
        handler!(sessions::revoke_all),
        EndsSessions("revokeAllSessionsAllUsers"),
    ),
    put("/api/v4/users/sessions/device", handler!(sessions::attach_device), Always("attachDeviceId")),
    // Personal access tokens.
    get("/api/v4/users/{user_id}/tokens", handler!(tokens::list_of_user)).listeners(NetworkAndSocket),
    post("/api/v4/users/{user_id}/tokens", handler!(tokens::create), Always("createUserAccessToken"))
        .listeners(NetworkAndSocket),
    get("/api/v4/users/tokens", handler!(tokens::list)),
    get("/api/v4/users/tokens/{token_id}", handler!(tokens::show)),
    post("/api/v4/users/tokens/search", handler!(tokens::search), OnRefusal("searchUserAccessTokens")),
    post("/api/v4/users/tokens/revoke", handler!(tokens::revoke), EndsSessions("revokeUserAccessToken"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/tokens/disable", handler!(tokens::disable), EndsSessions("disableUserAccessToken")),
    post("/api/v4/users/tokens/enable", handler!(tokens::enable), Always("enableUserAccessToken")),
    // Statuses of users.
    get("/api/v4/users/{user_id}/status", handler!(status::show)),
    put("/api/v4/users/{user_id}/status", handler!(status::save), Always("updateUserStatus")),
    post("/api/v4/users/status/ids", handler!(status::list), OnRefusal("getUserStatusesByIds")),
    // Preferences.
    get("/api/v4/users/{user_id}/preferences", handler!(preferences::list)).listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/preferences", handler!(preferences::save), Always("updatePreferences"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/{user_id}/preferences/delete", handler!(preferences::delete), Always("deletePreferences"))
        .listeners(NetworkAndSocket),
    get("/api/v4/users/{user_id}/preferences/{category}", handler!(preferences::list_category))
        .listeners(NetworkAndSocket),
    get("/api/v4/users/{user_id}/preferences/{category}/name/{name}", handler!(preferences::show))
        .listeners(NetworkAndSocket),
    // Teams.
    get("/api/v4/users/{user_id}/teams", handler!(teams::list_of_user)),
    get("/api/v4/users/{user_id}/teams/members", handler!(teams::list_memberships)),
    get("/api/v4/users/{user_id}/teams/unread", handler!(teams::list_unread)),
    get("/api/v4/teams", handler!(teams::list)).listeners(NetworkAndSocket),
    post("/api/v4/teams", handler!(teams::create), Always("createTeam")).listeners(NetworkAndSocket),
    get("/api/v4/teams/{team_id}", handler!(teams::show)).listeners(NetworkAndSocket),
    get("/api/v4/teams/name/{team_name}", handler!(teams::show_named)).listeners(NetworkAndSocket),
    get("/api/v4/teams/name/{team_name}/exists", handler!(teams::exists)),
    get("/api/v4/teams/{team_id}/members", handler!(teams::list_members)),
    post("/api/v4/teams/{team_id}/members", handler!(teams::add_member), Always("addTeamMember"))
        .listeners(NetworkAndSocket),
    get("/api/v4/teams/{team_id}/members/{user_id}", handler!(teams::show_member)),
    // Roles.
    get("/api/v4/roles", handler!(roles::list)).listeners(NetworkAndSocket),
    get("/api/v4/roles/{role_id}", handler!(roles::show)).listeners(NetworkAndSocket),
    get("/api/v4/roles/name/{role_name}", handler!(roles::show_named)).listeners(NetworkAndSocket),
    post("/api/v4/roles/names", handler!(roles::list_named), OnRefusal("getRolesByNames"))
        .listeners(NetworkAndSocket)
        .csrf(Csrf::Exempt),
];
