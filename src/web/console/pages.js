// The pages that are more than a list of settings. Each is loaded when it is opened; `docs/console.md` says how to add
// one. A page with the address of a page of settings takes its place; any other gets an entry in the menu.

/**
 * @typedef {object} OwnPage
 * @property {string} address the path below `admin_console/`
 * @property {string} category the heading in the menu
 * @property {string} label the name in the menu
 * @property {string} [words] more words under which the search finds the page
 * @property {string[]} [needs] permissions, one of which the caller needs; without it, every caller sees the page
 * @property {() => Promise<{ Page: import("./vendor/preact.mjs").Component<{ address: string }> }>} load
 */

/** Loads the page that makes the first account, while there is none. */
export const loadFirst = () => import("./pages/first.js");

/** The pages, in the order of the menu within a category. @type {OwnPage[]} */
export const OWN_PAGES = [
  {
    address: "reporting/dashboard", category: "Overview", label: "Dashboard",
    words: "health status busy actors attention", load: () => import("./pages/dashboard.js"),
  },
  {
    address: "about/license", category: "About", label: "Edition and license", words: "licence trial version upload",
    load: () => import("./pages/license.js"),
  },
  {
    address: "about/api", category: "About", label: "API", words: "openapi swagger operations requests try",
    load: () => import("./pages/api.js"),
  },
  {
    address: "reporting/system_analytics", category: "Reporting", label: "Site statistics",
    words: "analytics posts users figures", load: () => import("./pages/statistics.js"),
  },
  {
    address: "environment/tools", category: "Environment", label: "Tools",
    words: "caches recycle reload test mail site url integrity support packet upgrade restart", load: () => import("./pages/tools.js"),
  },
  {
    address: "environment/file_storage", category: "Environment", label: "File storage",
    words: "s3 azure minio bucket test connection",
    needs: ["manage_system", "sysconsole_read_environment_file_storage"], load: () => import("./pages/storage.js"),
  },
  {
    address: "environment/export_storage", category: "Environment", label: "Export storage",
    words: "s3 azure minio bucket test connection",
    needs: ["manage_system", "sysconsole_read_environment_file_storage"], load: () => import("./pages/storage.js"),
  },
  {
    address: "reporting/configuration_history", category: "Reporting", label: "Configuration history",
    words: "versions changes difference compare roll back undo audit",
    needs: ["manage_system"], load: () => import("./pages/history.js"),
  },
  {
    address: "site_config/notices", category: "Site configuration", label: "Notices", words: "product notices unread messages",
    needs: ["manage_system", "sysconsole_read_site_notices"], load: () => import("./pages/notices.js"),
  },
  {
    address: "user_management/users", category: "User management", label: "Users",
    words: "accounts people roles password sessions tokens one-time codes deactivate create",
    needs: ["sysconsole_read_user_management_users"], load: () => import("./pages/users.js"),
  },
  {
    address: "user_management/permissions", category: "User management", label: "Permissions",
    words: "roles rights grant compare system_admin system_manager",
    needs: ["manage_system", "sysconsole_read_user_management_permissions"], load: () => import("./pages/permissions.js"),
  },
  {
    address: "reporting/server_logs", category: "Reporting", label: "Server logs",
    words: "log lines errors warnings tail follow request id download",
    needs: ["get_logs"], load: () => import("./pages/logs.js"),
  },
  {
    address: "compliance/audit_logging", category: "Compliance", label: "Audit trail",
    words: "audits records events before after verify request id",
    needs: ["read_audits"], load: () => import("./pages/audits.js"),
  },
];
