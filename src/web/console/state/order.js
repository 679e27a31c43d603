// The order of settings on their pages, where the alphabet is no help. Settings that are not named here follow.

const section = (/** @type {string} */ name, /** @type {string} */ settings) =>
  settings.split(/\s+/).map((setting) => `${name}.${setting}`);

/** The paths of settings, in the order in which they are shown. */
export const ORDER = [
  ...section("ServiceSettings", `SiteURL ListenAddress ConnectionSecurity TLSCertFile TLSKeyFile TLSMinVer UseLetsEncrypt
    LetsEncryptCertificateCacheFile Forward80To443 TLSStrictTransport TLSStrictTransportMaxAge ReadTimeout WriteTimeout
    IdleTimeout MaximumPayloadSizeBytes MaximumURLLength WebserverMode TrustedProxyIPHeader
    EnableInsecureOutgoingConnections AllowedUntrustedInternalConnections`),
  ...section("SqlSettings", `DriverName DataSource MaxOpenConns MaxIdleConns QueryTimeout ConnMaxLifetimeMilliseconds
    ConnMaxIdleTimeMilliseconds Trace`),
  ...section("FileSettings", `DedicatedExportStore DriverName Directory AmazonS3Bucket AmazonS3PathPrefix AmazonS3Region
    AmazonS3AccessKeyId AmazonS3SecretAccessKey AmazonS3Endpoint AmazonS3SSL AmazonS3SSE AmazonS3StorageClass
    AmazonS3RequestTimeoutMilliseconds AmazonS3UploadPartSizeBytes AmazonS3Trace AmazonS3SignV2 AzureStorageAccount
    AzureContainer AzurePathPrefix AzureAuthMode AzureAccessKey AzureCloud AzureEndpoint AzureSSL
    AzureRequestTimeoutMilliseconds ExportDriverName ExportDirectory ExportAmazonS3Bucket ExportAmazonS3PathPrefix
    ExportAmazonS3Region ExportAmazonS3AccessKeyId ExportAmazonS3SecretAccessKey ExportAmazonS3Endpoint
    ExportAmazonS3SSL ExportAmazonS3SSE ExportAmazonS3StorageClass ExportAmazonS3RequestTimeoutMilliseconds
    ExportAmazonS3UploadPartSizeBytes ExportAmazonS3PresignExpiresSeconds ExportAmazonS3Trace ExportAmazonS3SignV2
    ExportAzureStorageAccount ExportAzureContainer ExportAzurePathPrefix ExportAzureAuthMode ExportAzureAccessKey
    ExportAzureCloud ExportAzureEndpoint ExportAzureSSL ExportAzureRequestTimeoutMilliseconds
    ExportAzurePresignExpiresSeconds MaxFileSize MaxImageResolution`),
  ...section("EmailSettings", `SMTPServer SMTPPort ConnectionSecurity EnableSMTPAuth SMTPUsername SMTPPassword
    SkipServerCertificateVerification SMTPServerTimeout SendEmailNotifications FeedbackName FeedbackEmail
    ReplyToAddress FeedbackOrganization`),
  ...section("RateLimitSettings", "Enable PerSec MaxBurst MemoryStoreSize VaryByRemoteAddr VaryByUser VaryByHeader"),
  ...section("LogSettings", `EnableConsole ConsoleLevel ConsoleJson EnableFile FileLevel FileJson FileLocation
    AdvancedLoggingJSON`),
  ...section("TeamSettings", "SiteName CustomDescriptionText"),
  ...section("PasswordSettings", "MinimumLength Lowercase Uppercase Number Symbol"),
];
