//! Settings: defaults, then the file named by `ANNALS_CONFIG`, then the environment; unknown keys are refused.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use events::settings::Flag;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Every setting, the same key in a file (`database_url`) and in the environment (`DATABASE_URL` or `ANNALS_DATABASE_URL`).
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Postgres, as a URL.
    pub database_url: String,
    /// NATS with `JetStream`, as a URL; credentials belong into it.
    pub nats_url: String,
    /// Redis, as a URL.
    pub redis_url: String,
    /// Where command-api listens.
    pub command_addr: SocketAddr,
    /// Where query-api listens.
    pub query_addr: SocketAddr,
    /// Where clients and workers reach command-api.
    pub command_url: String,
    /// Where clients reach query-api.
    pub query_url: String,
    /// Where people reach the console, at which links in e-mail begin; `query_url` when empty. With `https:` browsers
    /// are told to stay with TLS.
    pub public_url: String,
    /// Where mail programs reach command-api, at which the links that unsubscribe begin; `command_url` when empty.
    pub public_command_url: String,
    /// The server that takes e-mail, as a URL: `smtps://user:password@host`, or `smtp://user:password@host:587?tls=required`.
    pub smtp_url: String,
    /// The address that e-mail comes from.
    pub mail_from: String,
    /// The address that answers to e-mail go to; that which it comes from when empty.
    pub mail_reply_to: String,
    /// Folder for files: uploads, exports and backups, unless they are in a bucket, and what is half-made.
    pub data_dir: PathBuf,
    /// The bucket of an S3-compatible server that files and backups are in; in `data_dir` when empty.
    pub s3_bucket: String,
    /// Where that server is, as a URL; Amazon's when empty. `http:` is for a server on this machine alone.
    pub s3_endpoint: String,
    /// Its region.
    pub s3_region: String,
    /// The id of the key that opens the bucket.
    pub s3_access_key_id: String,
    /// The secret of that key.
    pub s3_secret_access_key: String,
    /// Key that seals all secrets: 32 bytes, base64.
    pub master_key: String,
    /// Token that may create organisations.
    pub bootstrap_token: String,
    /// Secret with which our own workers ask for a service token.
    pub service_secret: String,
    /// `iss` and `aud` of access tokens.
    pub issuer: String,
    /// Whether issuers of tokens that an organisation trusts may be on this machine, and speak HTTP there: for development only.
    pub loopback_issuers: bool,
    /// Whether programs that hear of events may be on this machine, and speak HTTP there: for development only.
    pub loopback_webhooks: bool,
    /// Code of the role that whoever joins an organisation has, where it has such a role and nothing else was given.
    pub rbac_default_role: String,
    /// Life of an access token in seconds, at most 600.
    pub access_token_seconds: u32,
    /// Life of a refresh token in seconds.
    pub refresh_token_seconds: u32,
    /// A confirmed purge of an organisation happens after so many seconds, at most 90 days, and can be cancelled until then.
    pub purge_delay_seconds: u32,
    /// Log filter, as of `tracing-subscriber`.
    pub log: String,
    /// `text` or `json`.
    pub log_format: String,
    /// Which lines of `target` `audit` stand in the log of command-api, always as JSON: `off`, `warn` for who lacked a permission,
    /// `info` for every command that was carried out or refused as well.
    pub audit_log_level: AuditLogLevel,
    /// Connections of each process's main pool.
    pub pool_size: u32,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// Longest wait of a query for its projections in milliseconds.
    pub max_wait_ms: u64,
    /// Feature flags of every organisation, `true` or `false`, whatever it says itself; in the file a table of this name.
    #[serde(default, deserialize_with = "by_name")]
    pub feature_flags: BTreeMap<Flag, bool>,
    /// A checkpoint of an organisation's log is signed so many seconds after the last one, if there are new events.
    pub checkpoint_seconds: u32,
    /// Origins, separated by commas, whose pages may read answers and open streams besides our own, such as `https://desk.example.org`.
    pub allowed_origins: String,
    /// Requests of one user in a minute, all of which may come at once; 0 for no limit.
    pub limit_user_per_minute: u32,
    /// Requests of all users of one organisation in a minute; 0 for no limit.
    pub limit_tenant_per_minute: u32,
    /// Requests for tokens from one address in a minute; 0 for no limit.
    pub limit_address_per_minute: u32,
    /// Attempts to sign in as one user in a minute, wherever they come from; 0 for no limit.
    pub limit_login_per_minute: u32,
}

/// How much of what is audited stands in the log of the process besides the log of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditLogLevel {
    /// Nothing.
    Off,
    /// Who lacked a permission.
    Warn,
    /// Every command that was carried out or refused as well.
    Info,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database_url: String::new(),
            nats_url: String::new(),
            redis_url: String::new(),
            command_addr: SocketAddr::from(([127, 0, 0, 1], 7401)),
            query_addr: SocketAddr::from(([127, 0, 0, 1], 7402)),
            command_url: "http://127.0.0.1:7401".into(),
            query_url: "http://127.0.0.1:7402".into(),
            public_url: String::new(),
            public_command_url: String::new(),
            smtp_url: String::new(),
            mail_from: String::new(),
            mail_reply_to: String::new(),
            data_dir: ".annals/files".into(),
            s3_bucket: String::new(),
            s3_endpoint: String::new(),
            s3_region: "us-east-1".into(),
            s3_access_key_id: String::new(),
            s3_secret_access_key: String::new(),
            master_key: String::new(),
            bootstrap_token: String::new(),
            service_secret: String::new(),
            issuer: "annals".into(),
            loopback_issuers: false,
            loopback_webhooks: false,
            rbac_default_role: String::new(),
            access_token_seconds: 600,
            refresh_token_seconds: 30 * 24 * 3600,
            purge_delay_seconds: 7 * 24 * 3600,
            log: "info".into(),
            log_format: "text".into(),
            audit_log_level: AuditLogLevel::Off,
            pool_size: 16,
            max_body_bytes: 1024 * 1024,
            max_wait_ms: 30_000,
            feature_flags: BTreeMap::new(),
            checkpoint_seconds: 60,
            allowed_origins: String::new(),
            limit_user_per_minute: 60_000,
            limit_tenant_per_minute: 600_000,
            limit_address_per_minute: 1_200,
            limit_login_per_minute: 120,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("command_addr", &self.command_addr)
            .field("query_addr", &self.query_addr)
            .finish_non_exhaustive() // the rest holds credentials
    }
}

/// Longest delay of a purge in seconds.
const PURGE_DELAY_MOST: u32 = 90 * 24 * 3600;
/// Known by their usual names too, without our prefix.
const UNPREFIXED: &[&str] = &[
    "DATABASE_URL",
    "NATS_URL",
    "REDIS_URL",
    "SMTP_URL",
    "MAIL_FROM",
    "MAIL_REPLY_TO",
    "RBAC_DEFAULT_ROLE",
    "AUDIT_LOG_LEVEL",
];
/// With the name of a feature flag behind it in upper case, the variable that has the last word on that flag.
const FEATURE_FLAG: &str = "FEATURE_FLAG_";
/// Variables of ours that are no settings.
const NOT_SETTINGS: &[&str] =
    &["ANNALS_CONFIG", "ANNALS_GENERATE", "ANNALS_TOKEN", "ANNALS_SHARED_DATA"];

impl Settings {
    /// Reads the settings of this process.
    pub fn load() -> anyhow::Result<Self> {
        Self::from_sources(std::env::vars().collect())
    }

    /// Reads settings from a given environment.
    pub fn from_sources(environment: HashMap<String, String>) -> anyhow::Result<Self> {
        let file = environment.get("ANNALS_CONFIG").cloned();
        let flags = feature_flags(&environment)?;
        let ours = environment
            .into_iter()
            .filter(|(key, _)| !NOT_SETTINGS.contains(&key.as_str()))
            .filter_map(|(key, value)| match key.strip_prefix("ANNALS_") {
                Some(rest) => Some((rest.to_owned(), value)),
                None => UNPREFIXED.contains(&key.as_str()).then_some((key, value)),
            })
            .collect();
        let mut builder = config::Config::builder()
            .add_source(config::Config::try_from(&Self::default()).context("defaults")?);
        if let Some(path) = file {
            builder = builder.add_source(config::File::new(&path, config::FileFormat::Toml));
        }
        let mut settings: Self = builder
            .add_source(config::Environment::default().source(Some(ours)).try_parsing(true))
            .build()
            .and_then(config::Config::try_deserialize)
            .context("settings are not valid; see docs/reference/config.md")?;
        settings.feature_flags.extend(flags);
        settings.check()?;
        Ok(settings)
    }

    /// The origins allowed besides our own.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.allowed_origins.split(',').map(str::trim).filter(|origin| !origin.is_empty())
    }

    /// Where links that people follow begin.
    pub fn links_begin(&self) -> &str {
        let url = if self.public_url.is_empty() { &self.query_url } else { &self.public_url };
        url.trim_end_matches('/')
    }

    /// Where the links begin that mail programs post to.
    pub fn posts_begin(&self) -> &str {
        let given = &self.public_command_url;
        let url = if given.is_empty() { &self.command_url } else { given };
        url.trim_end_matches('/')
    }

    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            (1..=600).contains(&self.access_token_seconds),
            "ANNALS_ACCESS_TOKEN_SECONDS must lie between 1 and 600"
        );
        anyhow::ensure!(
            self.purge_delay_seconds <= PURGE_DELAY_MOST,
            "ANNALS_PURGE_DELAY_SECONDS must be at most {PURGE_DELAY_MOST}, which is 90 days"
        );
        crate::files::check(self)
    }
}

/// Flags as the file has them: the crate that reads it knows text alone as a name.
fn by_name<'de, D: Deserializer<'de>>(file: D) -> Result<BTreeMap<Flag, bool>, D::Error> {
    let flag = |(name, on): (String, bool)| match name.parse() {
        Ok(flag) => Ok((flag, on)),
        Err(_) => Err(D::Error::custom(format!("{name} is no feature flag"))),
    };
    BTreeMap::deserialize(file)?.into_iter().map(flag).collect()
}

fn feature_flags(environment: &HashMap<String, String>) -> anyhow::Result<Vec<(Flag, bool)>> {
    let mut flags = Vec::new();
    for (variable, value) in environment {
        let Some(name) = variable.strip_prefix(FEATURE_FLAG) else { continue };
        let Ok(flag) = name.to_ascii_lowercase().parse() else {
            bail!("{variable} names no feature flag; see docs/reference/settings.md");
        };
        let Ok(on) = value.parse() else { bail!("{variable} must be true or false") };
        flags.push((flag, on));
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> anyhow::Result<Settings> {
        Settings::from_sources(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }

    #[test]
    fn the_environment_wins_over_defaults() {
        let settings = load(&[
            ("DATABASE_URL", "postgres://x"),
            ("ANNALS_POOL_SIZE", "5"),
            ("ANNALS_COMMAND_ADDR", "127.0.0.1:9"),
            ("HOME", "/"),
        ])
        .unwrap();
        assert_eq!(settings.database_url, "postgres://x");
        assert_eq!(settings.pool_size, 5);
        assert_eq!(settings.command_addr.port(), 9);
    }

    #[test]
    fn the_level_of_audited_lines_has_its_usual_name_and_three_values() {
        let level = |value| load(&[("AUDIT_LOG_LEVEL", value)]).map(|it| it.audit_log_level);
        assert_eq!(load(&[]).unwrap().audit_log_level, AuditLogLevel::Off);
        assert_eq!(level("warn").unwrap(), AuditLogLevel::Warn);
        assert_eq!(level("info").unwrap(), AuditLogLevel::Info);
        assert!(level("loud").is_err());
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = format!("{:#}", load(&[("ANNALS_POOL_SIZ", "5")]).unwrap_err());
        assert!(error.contains("pool_siz"), "{error}");
    }

    #[test]
    fn an_access_token_cannot_live_longer_than_ten_minutes() {
        assert!(load(&[("ANNALS_ACCESS_TOKEN_SECONDS", "601")]).is_err());
    }

    #[test]
    fn a_purge_waits_for_ninety_days_at_most() {
        assert!(load(&[("ANNALS_PURGE_DELAY_SECONDS", "7776000")]).is_ok());
        assert!(load(&[("ANNALS_PURGE_DELAY_SECONDS", "7776001")]).is_err());
    }

    #[test]
    fn a_feature_flag_of_the_environment_is_known_and_true_or_false() {
        let settings =
            load(&[("FEATURE_FLAG_WEB_CONSOLE", "true"), ("FEATURE_FLAG_WEBHOOKS", "false")]);
        let flags = settings.unwrap().feature_flags;
        assert_eq!(flags, BTreeMap::from([(Flag::WebConsole, true), (Flag::Webhooks, false)]));
        for (variable, value) in
            [("FEATURE_FLAG_WEB_CONSOL", "true"), ("FEATURE_FLAG_WEBHOOKS", "on")]
        {
            let error = load(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable), "{error}");
        }
    }

    #[test]
    fn a_feature_flag_of_the_environment_wins_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let written = "[feature_flags]\nwebhooks = true\ncalendar_sync = true\n";
        std::fs::write(path, written).unwrap();
        let settings = load(&[("ANNALS_CONFIG", path), ("FEATURE_FLAG_WEBHOOKS", "false")]);
        let flags = settings.unwrap().feature_flags;
        assert_eq!(flags, BTreeMap::from([(Flag::Webhooks, false), (Flag::CalendarSync, true)]));
        std::fs::write(path, "[feature_flags]\nwebhook = true\n").unwrap();
        assert!(load(&[("ANNALS_CONFIG", path)]).is_err());
    }

    #[test]
    fn debug_output_shows_no_credentials() {
        let settings = load(&[("ANNALS_MASTER_KEY", "sesame")]).unwrap();
        assert!(!format!("{settings:?}").contains("sesame"));
    }
}
