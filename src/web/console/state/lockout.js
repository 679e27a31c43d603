// The settings of which a wrong value can lock administrators out: addresses, TLS, login and sign-in, rules for
// passwords, rate limits, restricted administration. A change of one is taken back unless it is confirmed, if the user
// does not choose otherwise.

/** Paths of settings, and with a dot at the end the begin of paths. */
export const LOCKOUT = [
  "ServiceSettings.SiteURL", "ServiceSettings.ListenAddress", "ServiceSettings.Forward80To443",
  "ServiceSettings.WebserverMode", "ServiceSettings.TrustedProxyIPHeader", "ServiceSettings.AllowCookiesForSubdomains",
  "ServiceSettings.MaximumPayloadSizeBytes", "ServiceSettings.MaximumURLLength", "ServiceSettings.ReadTimeout",
  "ServiceSettings.WriteTimeout", "ServiceSettings.EnableLocalMode", "ServiceSettings.LocalModeSocketLocation",
  "ServiceSettings.ConnectionSecurity", "ServiceSettings.TLSCertFile", "ServiceSettings.TLSKeyFile",
  "ServiceSettings.TLSMinVer", "ServiceSettings.TLSOverwriteCiphers", "ServiceSettings.TLSStrictTransport",
  "ServiceSettings.TLSStrictTransportMaxAge", "ServiceSettings.UseLetsEncrypt",
  "ServiceSettings.LetsEncryptCertificateCacheFile",
  "ServiceSettings.MaximumLoginAttempts", "ServiceSettings.EnableMultifactorAuthentication",
  "ServiceSettings.EnforceMultifactorAuthentication", "ServiceSettings.SessionLengthWebInHours",
  "ServiceSettings.SessionLengthWebInDays", "ServiceSettings.SessionIdleTimeoutInMinutes",
  "ServiceSettings.ExperimentalStrictCSRFEnforcement", "ServiceSettings.ExperimentalEnableHardenedMode",
  "EmailSettings.EnableSignInWithEmail", "EmailSettings.EnableSignInWithUsername",
  "EmailSettings.RequireEmailVerification",
  "ExperimentalSettings.RestrictSystemAdmin", "ExperimentalSettings.ClientSideCertEnable",
  "PasswordSettings.", "RateLimitSettings.", "LdapSettings.", "SamlSettings.", "GitLabSettings.", "GoogleSettings.",
  "Office365Settings.", "OpenIdSettings.",
];

/** Returns true if a wrong value of the setting can lock administrators out. @param {string} path */
export function canLockOut(path) {
  return LOCKOUT.some((name) => (name.endsWith(".") ? path.startsWith(name) : path === name));
}
