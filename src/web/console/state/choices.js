// Names for values that a choice offers. A value without a name is shown as it is.

const NAMES = /** @type {Record<string, Record<string, string>>} */ ({
  "DriverName": { local: "Local File System", amazons3: "Amazon S3", azureblob: "Azure Blob Storage" },
  "AzureCloud": { "": "Commercial (as if unset)", commercial: "Commercial", government: "Government", custom: "Custom" },
  "AzureAuthMode": { shared_key: "Access key", default_credential: "Identity of this machine" },
  "ConnectionSecurity": { "": "None", TLS: "TLS", STARTTLS: "STARTTLS" },
});

/** Returns the values that a setting can be chosen from; none if it is typed.
 * @param {import("../api/config.js").Setting} setting */
export function choicesOf(setting) {
  return setting.choices ?? [];
}

/** Returns the name of a value. @param {string} path @param {string} value */
export function choiceName(path, value) {
  const name = (path.split(".").pop() ?? "").replace(/^Export/, "");
  const known = NAMES[name];
  return known?.[value] ?? (value === "" ? "(empty)" : value);
}
