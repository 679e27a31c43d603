//! The route table: method, path, operation, and what differs from the usual route.

use crate::web::socket;

use super::route::AuditEvent::{Always, EndsSessions, OnRefusal};
use super::route::Class::{Anonymous, Open};
use super::route::Listeners::{NetworkAndSocket, SocketOnly};
use super::route::LogLevel::Trace;
use super::route::RateLimit::Exempt;
use super::route::{BodyLimit, Csrf, OneTimeCodes, Route, WhileBusy, delete, get, patch, post, put};
use super::{
    absent, account_pages, ai_bridge, analytics, audits, bots, busy, caches, channels, client_performance, cluster,
    config, console, custom_status, database, email, files, health, images, jobs, license, limits, links, login, logs,
    manual_test, metrics, notices, notifications, onboarding, openapi, permissions, plugins, preferences,
    reauthentication, releases, reports, restart, roles, schemes, sessions, site_url, status, support_packet, teams,
    tokens, trial_license, typing, upgrade, users,
};

/// Every route. A known path with another method is answered 404, because clients rely on that.
pub(super) static TABLE: &[Route] = &[
    get("/", console::PAGE).class(Anonymous).log_level(Trace).page().yielding(),
    get("/login", console::PAGE).class(Anonymous).log_level(Trace).page().yielding(),
    get("/admin_console", console::PAGE).class(Anonymous).log_level(Trace).page().yielding(),
    get("/admin_console/", console::PAGE).class(Anonymous).log_level(Trace).page().yielding(),
    get("/admin_console/{page}", console::PAGE).class(Anonymous).log_level(Trace).page().yielding(),
    // Only with a web application, which has the paths above then.
    get("/quarterdeck/console", console::PAGE).class(Anonymous).log_level(Trace).page(),
    get("/quarterdeck/console/", console::PAGE).class(Anonymous).log_level(Trace).page(),
    get("/quarterdeck/console/{page}", console::PAGE).class(Anonymous).log_level(Trace).page(),
    get("/quarterdeck/assets/{file}", console::FILE).class(Anonymous).log_level(Trace),
    get("/livez", health::LIVE).class(Anonymous).log_level(Trace).rate_limit(Exempt),
    get("/readyz", health::READY).class(Anonymous).log_level(Trace).rate_limit(Exempt),
    get("/startupz", health::STARTED).class(Anonymous).log_level(Trace).rate_limit(Exempt),
    get("/metrics", metrics::SHOW).class(Anonymous).log_level(Trace).rate_limit(Exempt),
    // Pages that mails link to. The paths are those of Mattermost's web application.
    get("/reset_password_complete", account_pages::SHOW).class(Anonymous).page(),
    get("/do_verify_email", account_pages::SHOW).class(Anonymous).page(),
    get("/signup_user_complete", account_pages::SHOW).class(Anonymous).page(),
    get("/account_page/{file}", account_pages::PART).class(Anonymous).page(),
    get("/api/v4/openapi.json", openapi::SHOW).class(Open),
    get("/api/v4/openapi", openapi::PAGE).class(Open).page(),
    get("/api/v4/openapi/{file}", openapi::PART).class(Open),
    // The system.
    get("/api/v4/system/ping", health::PING).class(Open).log_level(Trace).listeners(NetworkAndSocket),
    get("/api/v4/system/timezones", health::TIMEZONES),
    post("/api/v4/site_url/test", site_url::TEST, OnRefusal("testSiteURL")),
    post("/api/v4/notifications/ack", notifications::receipts::ACKNOWLEDGE, OnRefusal("notificationAck")),
    get("/api/v4/system/support_packet", support_packet::SHOW)
        .listeners(NetworkAndSocket)
        .audit(Always("generateSupportPacket")),
    get("/api/v4/audits", audits::LIST).audit(OnRefusal("getAudits")),
    get("/api/v4/audits/verification", audits::verification::SHOW).audit(OnRefusal("getAuditVerification")),
    post("/api/v4/audits/verification", audits::verification::BEGIN, Always("verifyAudits")),
    get("/api/v4/audits/{audit_id}", audits::SHOW).audit(OnRefusal("getAudit")),
    get("/api/v4/cluster/status", cluster::SHOW),
    post("/api/v4/client_perf", client_performance::DROP, OnRefusal("submitPerformanceReport")).csrf(Csrf::Exempt),
    post("/api/v4/server_busy", busy::MARK, Always("setServerBusy")).listeners(NetworkAndSocket),
    get("/api/v4/server_busy", busy::SHOW).listeners(NetworkAndSocket),
    delete("/api/v4/server_busy", busy::CLEAR, Always("clearServerBusy")).listeners(NetworkAndSocket),
    post("/api/v4/email/test", email::TEST, Always("testEmail")),
    post("/api/v4/notifications/test", notifications::TEST, Always("testNotification")),
    get("/api/v4/system/notices/{team_id}", notices::LIST),
    // `view` is not the id of a team, so this request is refused like any invalid id.
    get("/api/v4/system/notices/view", notices::LIST.left_out()),
    put("/api/v4/system/notices/view", notices::VIEW, Always("updateViewedProductNotices")),
    get("/api/v4/system/onboarding/complete", onboarding::SHOW).audit(OnRefusal("getOnboarding")),
    post("/api/v4/system/onboarding/complete", onboarding::COMPLETE, Always("completeOnboarding")),
    get("/api/v4/websocket", socket::OPEN).class(Open),
    get("/api/v4/websocket/", socket::OPEN.left_out()).class(Open),
    post("/api/v4/upgrade_to_enterprise", upgrade::BEGIN, Always("upgradeToEnterprise")),
    get("/api/v4/upgrade_to_enterprise/status", upgrade::SHOW),
    get("/api/v4/upgrade_to_enterprise/allowed", upgrade::CHECK),
    post("/api/v4/restart", restart::RESTART, Always("restartServer")),
    get("/api/v4/restart", restart::SHOW),
    get("/api/v4/limits/server", limits::SHOW),
    get("/api/v4/plugins", plugins::LIST).listeners(NetworkAndSocket),
    get("/api/v4/plugins/statuses", plugins::LIST_STATUSES),
    get("/api/v4/plugins/webapp", plugins::LIST_FOR_WEB).class(Open),
    get("/api/v4/jobs", jobs::LIST).listeners(NetworkAndSocket),
    get("/api/v4/jobs/type/{job_type}", jobs::LIST_TYPE).listeners(NetworkAndSocket),
    // For end-to-end tests of clients.
    get("/manualtest", manual_test::RUN).class(Open).audit(Always("manualTest")),
    put("/api/v4/system/e2e/ai_bridge", ai_bridge::REPLACE, Always("setAIBridgeTestHelper")),
    get("/api/v4/system/e2e/ai_bridge", ai_bridge::SHOW),
    delete("/api/v4/system/e2e/ai_bridge", ai_bridge::RESET, Always("deleteAIBridgeTestHelper")),
    // The server's dependencies.
    post("/api/v4/file/test", files::TEST, OnRefusal("testFileStoreConnection")),
    post("/api/v4/file/s3_test", files::TEST_S3, OnRefusal("testS3Connection")),
    get("/api/v4/system/schema/version", database::LIST_MIGRATIONS)
        .listeners(NetworkAndSocket)
        .audit(OnRefusal("getAppliedSchemaMigrations")),
    post("/api/v4/database/recycle", database::RECYCLE, Always("databaseRecycle")),
    post("/api/v4/integrity", database::CHECK, Always("localCheckIntegrity")).listeners(SocketOnly),
    post("/api/v4/caches/invalidate", caches::INVALIDATE, Always("invalidateCaches")),
    // Logs, analytics, and requests to other sites.
    get("/api/v4/logs", logs::LIST).listeners(NetworkAndSocket).audit(Always("getLogs")),
    get("/api/v4/logs/download", logs::DOWNLOAD).audit(Always("downloadLogs")),
    post("/api/v4/logs/query", logs::QUERY, Always("queryLogs")),
    post("/api/v4/logs", logs::RECORD, OnRefusal("postLog")).class(Open),
    get("/api/v4/analytics/old", analytics::LIST),
    get("/api/v4/analytics/server", analytics::SHOW_SERVER),
    get("/api/v4/latest_version", releases::SHOW_LATEST),
    get("/api/v4/redirect_location", links::SHOW),
    get("/api/v4/image", images::SHOW),
    // Configuration and licence.
    get("/api/v4/config", config::document::SHOW).listeners(NetworkAndSocket).audit(OnRefusal("getConfig")),
    put("/api/v4/config", config::document::REPLACE, Always("updateConfig")).listeners(NetworkAndSocket),
    put("/api/v4/config/patch", config::document::PATCH, Always("patchConfig")).listeners(NetworkAndSocket),
    get("/api/v4/config/environment", config::document::SHOW_PINNED),
    get("/api/v4/config/provenance", config::origins::LIST).listeners(NetworkAndSocket),
    get("/api/v4/config/pending_restart", config::origins::LIST_PENDING).listeners(NetworkAndSocket),
    get("/api/v4/config/schema", config::schema::SHOW).listeners(NetworkAndSocket),
    get("/api/v4/config/versions", config::versions::LIST).listeners(NetworkAndSocket),
    get("/api/v4/config/versions/{version_id}", config::versions::SHOW).listeners(NetworkAndSocket),
    get("/api/v4/config/versions/{version_id}/difference/{other_id}", config::versions::COMPARE)
        .listeners(NetworkAndSocket),
    post("/api/v4/config/versions/{version_id}/rollback", config::versions::ROLL_BACK, Always("rollbackConfig"))
        .listeners(NetworkAndSocket),
    post("/api/v4/config/versions/{version_id}/confirm", config::confirmation::CONFIRM, Always("confirmConfig"))
        .listeners(NetworkAndSocket),
    delete("/api/v4/config/versions/{version_id}/confirm", config::confirmation::TAKE_BACK, Always("takeBackConfig"))
        .listeners(NetworkAndSocket),
    post("/api/v4/config/reload", config::RELOAD, Always("configReload")).listeners(NetworkAndSocket),
    post("/api/v4/config/migrate", config::migrate::MIGRATE, Always("migrateConfig")).listeners(SocketOnly),
    get("/api/v4/config/client", config::SHOW_TO_CLIENTS).class(Open).log_level(Trace).listeners(NetworkAndSocket),
    post("/api/v4/license", license::INSTALL, Always("addLicense"))
        .body_limit(BodyLimit::Files)
        .listeners(NetworkAndSocket),
    delete("/api/v4/license", license::REMOVE, Always("removeLicense")).listeners(NetworkAndSocket),
    get("/api/v4/license/client", license::SHOW_TO_CLIENTS).class(Open).log_level(Trace).listeners(NetworkAndSocket),
    get("/api/v4/license/load_metric", license::SHOW_LOAD),
    post("/api/v4/trial-license", trial_license::INSTALL, Always("requestTrialLicense")),
    get("/api/v4/trial-license/prev", trial_license::SHOW_PREVIOUS),
    // Login and logout.
    post("/api/v4/users/login", login::LOGIN, Always("login")).class(Open),
    post("/api/v4/users/logout", login::LOGOUT, EndsSessions("logout")).class(Open),
    // Accounts.
    post("/api/v4/users", users::CREATE, Always("createUser")).class(Open).listeners(NetworkAndSocket),
    get("/api/v4/users/{user_id}", users::SHOW).listeners(NetworkAndSocket).one_time_codes(OneTimeCodes::NotForOwn),
    get("/api/v4/users", users::list::LIST).listeners(NetworkAndSocket),
    post("/api/v4/users/ids", users::list::WITH_IDS, OnRefusal("getUsersByIds")).listeners(NetworkAndSocket),
    post("/api/v4/users/usernames", users::list::NAMED, OnRefusal("getUsersByNames")),
    post("/api/v4/users/search", users::search::SEARCH, OnRefusal("searchUsers")).while_busy(WhileBusy::Refused),
    get("/api/v4/users/stats", users::list::STATS),
    get("/api/v4/users/stats/filtered", users::list::FILTERED_STATS),
    get("/api/v4/users/autocomplete", users::autocomplete::COMPLETE),
    get("/api/v4/users/invalid_emails", users::invalid_emails::LIST),
    get("/api/v4/users/known", users::list::ACQUAINTANCES),
    get("/api/v4/users/username/{username}", users::SHOW_NAMED).listeners(NetworkAndSocket),
    get("/api/v4/users/email/{email}", users::SHOW_WITH_EMAIL).listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}", users::edit::REPLACE, Always("updateUser")).listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/patch", users::edit::PATCH, Always("patchUser")),
    put("/api/v4/users/{user_id}/password", users::password::REPLACE, Always("updatePassword"))
        .listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/active", users::active::REPLACE, Always("updateUserActive"))
        .listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/roles", users::roles::REPLACE, Always("updateUserRoles")).listeners(NetworkAndSocket),
    delete("/api/v4/users", users::active::REMOVE_ALL, Always("permanentDeleteAllUsers")).listeners(SocketOnly),
    get("/api/v4/users/{user_id}/image", users::picture::SHOW),
    get("/api/v4/users/{user_id}/image/default", users::picture::SHOW_DEFAULT),
    post("/api/v4/users/{user_id}/image", users::picture::REPLACE, Always("setProfileImage"))
        .body_limit(BodyLimit::Pictures),
    delete("/api/v4/users/{user_id}/image", users::picture::REMOVE, Always("setDefaultProfileImage")),
    delete("/api/v4/users/{user_id}", users::active::REMOVE, Always("deleteUser")).listeners(NetworkAndSocket),
    post("/api/v4/users/{user_id}/email/verify/member", users::VERIFY_EMAIL, Always("verifyUserEmailWithoutToken"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/password/reset/send", users::recovery::SEND_RESET, Always("sendPasswordReset"))
        .class(Open)
        .listeners(NetworkAndSocket),
    post("/api/v4/users/password/reset", users::recovery::RESET, Always("resetPassword")).class(Open),
    post("/api/v4/users/email/verify/send", users::recovery::SEND_VERIFICATION, Always("sendVerificationEmail"))
        .class(Open),
    post("/api/v4/users/email/verify", users::recovery::VERIFY, Always("verifyUserEmail")).class(Open),
    put("/api/v4/users/{user_id}/mfa", users::mfa::REPLACE, Always("updateUserMfa"))
        .listeners(NetworkAndSocket)
        .one_time_codes(OneTimeCodes::NotForOwn),
    post("/api/v4/users/{user_id}/mfa/generate", users::mfa::ENROL, Always("generateMfaSecret"))
        .one_time_codes(OneTimeCodes::NotForOwn),
    post(
        "/api/v4/users/{user_id}/reset_failed_attempts",
        users::password::RESET_FAILED_ATTEMPTS,
        Always("resetPasswordFailedAttempts"),
    ),
    get("/api/v4/users/{user_id}/audits", audits::LIST_OF_USER).audit(OnRefusal("getUserAudits")),
    post("/api/v4/users/{user_id}/promote", users::guests::PROMOTE, Always("promoteGuestToUser"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/{user_id}/demote", users::guests::DEMOTE, Always("demoteUserToGuest"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/{user_id}/convert_to_bot", users::conversion::TO_BOT, Always("convertUserToBot"))
        .listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/auth", users::login_service::REPLACE, Always("updateUserAuth"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/migrate_auth/ldap", users::migration::TO_LDAP, OnRefusal("migrateAuthToLdap"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/migrate_auth/saml", users::migration::TO_SAML, OnRefusal("migrateAuthToSaml"))
        .listeners(NetworkAndSocket),
    get("/api/v4/reports/users", reports::LIST),
    get("/api/v4/reports/users/count", reports::COUNT),
    // Sessions.
    get("/api/v4/users/{user_id}/sessions", sessions::LIST),
    post("/api/v4/users/{user_id}/sessions/revoke", sessions::REVOKE, EndsSessions("revokeSession")),
    post(
        "/api/v4/users/{user_id}/sessions/revoke/all",
        sessions::REVOKE_ALL_OF_USER,
        EndsSessions("revokeAllSessionsForUser"),
    ),
    post("/api/v4/users/sessions/revoke/all", sessions::REVOKE_ALL, EndsSessions("revokeAllSessionsAllUsers")),
    post("/api/v4/users/sessions/reauthenticate", reauthentication::REAUTHENTICATE, Always("reauthenticate")),
    put("/api/v4/users/sessions/device", sessions::ATTACH_DEVICE, Always("attachDeviceId")),
    // Personal access tokens.
    get("/api/v4/users/{user_id}/tokens", tokens::LIST_OF_USER).listeners(NetworkAndSocket),
    post("/api/v4/users/{user_id}/tokens", tokens::CREATE, Always("createUserAccessToken")).listeners(NetworkAndSocket),
    get("/api/v4/users/tokens", tokens::LIST),
    get("/api/v4/users/tokens/{token_id}", tokens::SHOW),
    post("/api/v4/users/tokens/search", tokens::SEARCH, OnRefusal("searchUserAccessTokens")),
    post("/api/v4/users/tokens/revoke", tokens::REVOKE, EndsSessions("revokeUserAccessToken"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/tokens/disable", tokens::DISABLE, EndsSessions("disableUserAccessToken")),
    post("/api/v4/users/tokens/enable", tokens::ENABLE, Always("enableUserAccessToken")),
    // Statuses of users.
    get("/api/v4/users/{user_id}/status", status::SHOW),
    put("/api/v4/users/{user_id}/status", status::SAVE, Always("updateUserStatus")),
    put("/api/v4/users/{user_id}/status/custom", custom_status::REPLACE, Always("updateUserCustomStatus")),
    delete("/api/v4/users/{user_id}/status/custom", custom_status::REMOVE, Always("removeUserCustomStatus")),
    delete(
        "/api/v4/users/{user_id}/status/custom/recent",
        custom_status::REMOVE_RECENT,
        Always("removeUserRecentCustomStatus"),
    ),
    post(
        "/api/v4/users/{user_id}/status/custom/recent/delete",
        custom_status::POST_REMOVE_RECENT,
        Always("removeUserRecentCustomStatus"),
    ),
    post("/api/v4/users/{user_id}/typing", typing::PUBLISH, OnRefusal("publishUserTyping"))
        .while_busy(WhileBusy::Refused),
    post("/api/v4/users/status/ids", status::LIST, OnRefusal("getUserStatusesByIds")),
    // Preferences.
    get("/api/v4/users/{user_id}/preferences", preferences::LIST).listeners(NetworkAndSocket),
    put("/api/v4/users/{user_id}/preferences", preferences::SAVE, Always("updatePreferences"))
        .listeners(NetworkAndSocket),
    post("/api/v4/users/{user_id}/preferences/delete", preferences::DELETE, Always("deletePreferences"))
        .listeners(NetworkAndSocket),
    get("/api/v4/users/{user_id}/preferences/{category}", preferences::LIST_CATEGORY).listeners(NetworkAndSocket),
    get("/api/v4/users/{user_id}/preferences/{category}/name/{name}", preferences::SHOW).listeners(NetworkAndSocket),
    // Teams.
    get("/api/v4/users/{user_id}/teams", teams::LIST_OF_USER),
    get("/api/v4/users/{user_id}/teams/members", teams::LIST_MEMBERSHIPS),
    get("/api/v4/users/{user_id}/teams/unread", teams::LIST_UNREAD),
    get("/api/v4/users/{user_id}/teams/{team_id}/unread", teams::SHOW_UNREAD),
    get("/api/v4/teams", teams::LIST).listeners(NetworkAndSocket),
    post("/api/v4/teams", teams::CREATE, Always("createTeam")).listeners(NetworkAndSocket),
    post("/api/v4/teams/search", teams::search::SEARCH, OnRefusal("searchTeams"))
        .while_busy(WhileBusy::Refused)
        .listeners(NetworkAndSocket),
    get("/api/v4/teams/{team_id}", teams::SHOW).listeners(NetworkAndSocket),
    put("/api/v4/teams/{team_id}", teams::edit::REPLACE, Always("updateTeam")).listeners(NetworkAndSocket),
    put("/api/v4/teams/{team_id}/patch", teams::edit::PATCH, Always("patchTeam")).listeners(NetworkAndSocket),
    put("/api/v4/teams/{team_id}/privacy", teams::edit::SET_PRIVACY, Always("updateTeamPrivacy"))
        .listeners(NetworkAndSocket),
    delete("/api/v4/teams/{team_id}", teams::archive::REMOVE, Always("deleteTeam")).listeners(NetworkAndSocket),
    post(
        "/api/v4/teams/{team_id}/regenerate_invite_id",
        teams::edit::RENEW_INVITE_ID,
        Always("regenerateTeamInviteId"),
    ),
    put("/api/v4/teams/{team_id}/scheme", teams::scheme::REPLACE, Always("updateTeamScheme")),
    get("/api/v4/teams/{team_id}/image", teams::icon::SHOW),
    post("/api/v4/teams/{team_id}/image", teams::icon::REPLACE, Always("setTeamIcon")).body_limit(BodyLimit::Pictures),
    delete("/api/v4/teams/{team_id}/image", teams::icon::REMOVE, Always("removeTeamIcon")),
    post("/api/v4/teams/{team_id}/restore", teams::archive::RESTORE, Always("restoreTeam")).listeners(NetworkAndSocket),
    get("/api/v4/teams/name/{team_name}", teams::SHOW_NAMED).listeners(NetworkAndSocket),
    get("/api/v4/teams/name/{team_name}/exists", teams::EXISTS),
    get("/api/v4/teams/invite/{invite_id}", teams::invited::SHOW).class(Open),
    post("/api/v4/teams/members/invite", teams::invited::JOIN, Always("addUserToTeamFromInvite")),
    delete("/api/v4/teams/invites/email", teams::invite::REMOVE_ALL, Always("invalidateAllEmailInvites")),
    post("/api/v4/teams/{team_id}/invite-guests/email", teams::invite::INVITE_GUESTS, Always("inviteGuestsToChannels")),
    post("/api/v4/teams/{team_id}/invite/email", teams::invite::INVITE, Always("inviteUsersToTeam"))
        .listeners(NetworkAndSocket),
    get("/api/v4/teams/{team_id}/members", teams::LIST_MEMBERS),
    post("/api/v4/teams/{team_id}/members", teams::ADD_MEMBER, Always("addTeamMember")).listeners(NetworkAndSocket),
    get("/api/v4/teams/{team_id}/members/{user_id}", teams::SHOW_MEMBER),
    delete("/api/v4/teams/{team_id}/members/{user_id}", teams::leaving::REMOVE, Always("removeTeamMember"))
        .listeners(NetworkAndSocket),
    put("/api/v4/teams/{team_id}/members/{user_id}/roles", teams::roles::REPLACE, Always("updateTeamMemberRoles")),
    put(
        "/api/v4/teams/{team_id}/members/{user_id}/schemeRoles",
        teams::roles::SWITCH,
        Always("updateTeamMemberSchemeRoles"),
    ),
    get("/api/v4/teams/{team_id}/stats", teams::several::STATS),
    post("/api/v4/teams/{team_id}/members/ids", teams::several::WITH_IDS, OnRefusal("getTeamMembersByIds")),
    post("/api/v4/teams/{team_id}/members/batch", teams::several::ADD, Always("addTeamMembers"))
        .listeners(NetworkAndSocket),
    get("/api/v4/channels", channels::LIST),
    // Bots.
    get("/api/v4/bots", bots::LIST).listeners(NetworkAndSocket),
    post("/api/v4/bots", bots::managing::CREATE, Always("createBot")),
    get("/api/v4/bots/{bot_user_id}", bots::managing::SHOW).listeners(NetworkAndSocket),
    put("/api/v4/bots/{bot_user_id}", bots::managing::PATCH, Always("patchBot")).listeners(NetworkAndSocket),
    post("/api/v4/bots/{bot_user_id}/disable", bots::managing::DISABLE, Always("updateBotActive"))
        .listeners(NetworkAndSocket),
    post("/api/v4/bots/{bot_user_id}/enable", bots::managing::ENABLE, Always("updateBotActive"))
        .listeners(NetworkAndSocket),
    post("/api/v4/bots/{bot_user_id}/assign/{user_id}", bots::managing::ASSIGN, Always("assignBot"))
        .listeners(NetworkAndSocket),
    post("/api/v4/bots/{bot_user_id}/convert_to_user", users::conversion::TO_USER, Always("convertBotToUser"))
        .listeners(NetworkAndSocket),
    get("/api/v4/schemes", schemes::LIST),
    // Features that this server does not have.
    get("/api/v4/users/{user_id}/groups", absent::accounts::GROUPS_OF_USER),
    get("/api/v4/users/{user_id}/terms_of_service", absent::accounts::TERMS_OF_USER),
    post("/api/v4/users/{user_id}/terms_of_service", absent::accounts::DECIDE, OnRefusal("saveUserTermsOfService")),
    get("/api/v4/users/{user_id}/uploads", absent::accounts::UPLOADS_OF_USER).listeners(NetworkAndSocket),
    post("/api/v4/users/group_channels", absent::accounts::GROUP_CHANNELS, OnRefusal("getUsersByGroupChannelIds")),
    get("/api/v4/users/{user_id}/oauth/apps/authorized", absent::accounts::OAUTH_OF_USER),
    post("/api/v4/users/login/switch", absent::accounts::SWITCH, OnRefusal("switchAccountType")).class(Open),
    post("/api/v4/users/login/desktop_token", absent::accounts::DESKTOP_LOGIN, OnRefusal("loginWithDesktopToken"))
        .class(Open),
    post("/api/v4/users/login/cws", absent::accounts::CLOUD_LOGIN, OnRefusal("loginCWS")).class(Open),
    post("/api/v4/users/login/sso/code-exchange", absent::accounts::CODE_EXCHANGE, OnRefusal("exchangeSSOCode"))
        .class(Open),
    post("/api/v4/users/notify-admin", absent::accounts::NOTIFY_ADMIN, OnRefusal("notifyAdmin")),
    post("/api/v4/users/trigger-notify-admin-posts", absent::accounts::TRIGGER, OnRefusal("triggerNotifyAdminPosts")),
    post("/api/v4/teams/{team_id}/import", absent::accounts::IMPORT_TEAM, OnRefusal("importTeam")),
    post("/api/v4/ldap/sync", absent::accounts::SYNC_DIRECTORY, OnRefusal("syncLdap")).listeners(NetworkAndSocket),
    post("/api/v4/ldap/test", absent::accounts::TEST_DIRECTORY, OnRefusal("testLdap")),
    post("/api/v4/ldap/migrateid", absent::accounts::MIGRATE_IDS, OnRefusal("migrateIdLdap"))
        .listeners(NetworkAndSocket),
    post("/api/v4/saml/reset_auth_data", absent::accounts::RESET_SAML_DATA, OnRefusal("resetAuthDataToEmail"))
        .listeners(NetworkAndSocket),
    get("/api/v4/groups", absent::GROUPS),
    get("/api/v4/teams/{team_id}/groups", absent::TEAM_GROUPS),
    get("/api/v4/teams/{team_id}/members_minus_group_members", absent::MEMBERS_WITHOUT_GROUP),
    get("/api/v4/teams/{team_id}/groups_by_channels", absent::TEAM_CHANNEL_GROUPS),
    get("/api/v4/channels/{channel_id}/groups", absent::CHANNEL_GROUPS),
    get("/api/v4/ldap/groups", absent::LDAP_GROUPS),
    get("/api/v4/custom_profile_attributes/fields", absent::ATTRIBUTE_FIELDS),
    post("/api/v4/custom_profile_attributes/fields", absent::ADD_ATTRIBUTE_FIELD, OnRefusal("createCPAField")),
    delete(
        "/api/v4/custom_profile_attributes/fields/{field_id}",
        absent::REMOVE_ATTRIBUTE_FIELD,
        OnRefusal("deleteCPAField"),
    ),
    patch(
        "/api/v4/custom_profile_attributes/fields/{field_id}",
        absent::CHANGE_ATTRIBUTE_FIELD,
        OnRefusal("patchCPAField"),
    ),
    patch("/api/v4/custom_profile_attributes/values", absent::CHANGE_ATTRIBUTES, OnRefusal("patchCPAValues")),
    get("/api/v4/custom_profile_attributes/group", absent::ATTRIBUTE_GROUP),
    get("/api/v4/users/{user_id}/custom_profile_attributes", absent::ATTRIBUTES_OF_USER),
    patch(
        "/api/v4/users/{user_id}/custom_profile_attributes",
        absent::CHANGE_ATTRIBUTES_OF_USER,
        OnRefusal("patchCPAValues"),
    ),
    get("/api/v4/data_retention/policy", absent::RETENTION_POLICY),
    get("/api/v4/data_retention/policies_count", absent::RETENTION_COUNT),
    get("/api/v4/data_retention/policies", absent::RETENTION_POLICIES),
    post("/api/v4/data_retention/policies", absent::ADD_RETENTION_POLICY, OnRefusal("createPolicy")),
    get("/api/v4/data_retention/policies/{policy_id}", absent::RETENTION_POLICY_WITH_ID),
    patch("/api/v4/data_retention/policies/{policy_id}", absent::CHANGE_RETENTION_POLICY, OnRefusal("patchPolicy")),
    delete("/api/v4/data_retention/policies/{policy_id}", absent::REMOVE_RETENTION_POLICY, OnRefusal("deletePolicy")),
    get("/api/v4/data_retention/policies/{policy_id}/teams", absent::RETENTION_TEAMS),
    post(
        "/api/v4/data_retention/policies/{policy_id}/teams",
        absent::ADD_RETENTION_TEAMS,
        OnRefusal("addTeamsToPolicy"),
    ),
    delete(
        "/api/v4/data_retention/policies/{policy_id}/teams",
        absent::REMOVE_RETENTION_TEAMS,
        OnRefusal("removeTeamsFromPolicy"),
    ),
    get("/api/v4/data_retention/policies/{policy_id}/channels", absent::RETENTION_CHANNELS),
    post(
        "/api/v4/data_retention/policies/{policy_id}/channels",
        absent::ADD_RETENTION_CHANNELS,
        OnRefusal("addChannelsToPolicy"),
    ),
    delete(
        "/api/v4/data_retention/policies/{policy_id}/channels",
        absent::REMOVE_RETENTION_CHANNELS,
        OnRefusal("removeChannelsFromPolicy"),
    ),
    get("/api/v4/users/{user_id}/data_retention/team_policies", absent::RETENTION_TEAMS_OF_USER),
    get("/api/v4/users/{user_id}/data_retention/channel_policies", absent::RETENTION_CHANNELS_OF_USER),
    get("/api/v4/terms_of_service", absent::TERMS_OF_SERVICE),
    post("/api/v4/terms_of_service", absent::ADD_TERMS_OF_SERVICE, OnRefusal("createTermsOfService")),
    // Roles and permissions.
    post("/api/v4/permissions/ancillary", permissions::ADD_ANCILLARY, OnRefusal("getAncillaryPermissions")),
    get("/api/v4/roles", roles::LIST).listeners(NetworkAndSocket),
    get("/api/v4/roles/{role_id}", roles::SHOW).listeners(NetworkAndSocket),
    put("/api/v4/roles/{role_id}/patch", roles::patch::PATCH, Always("patchRole")).listeners(NetworkAndSocket),
    get("/api/v4/roles/name/{role_name}", roles::SHOW_NAMED).listeners(NetworkAndSocket),
    post("/api/v4/roles/names", roles::LIST_NAMED, OnRefusal("getRolesByNames"))
        .listeners(NetworkAndSocket)
        .csrf(Csrf::Exempt),
];
