//! Tokens: an access token lives for minutes, so it is renewed while a long task goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::retry::persist;
use super::{Error, Options, read};

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(30);

/// Somebody signed in.
pub(super) struct Session {
    http: reqwest::Client,
    command: String,
    credentials: Credentials,
    held: Mutex<Held>,
}

enum Credentials {
    /// A token that we were given and cannot renew.
    Given,
    Password {
        organization: String,
        login: String,
        password: String,
    },
}

#[derive(Default)]
struct Held {
    access: Option<(Arc<str>, Option<Instant>)>,
    refresh: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    expires_in: u64,
    refresh_token: Option<String>,
}

impl Session {
    pub(super) async fn start(
        options: &Options,
        http: reqwest::Client,
        command: String,
    ) -> anyhow::Result<Self> {
        let (credentials, held) = match (&options.login, &options.organization, &options.token) {
            // A name on the command line counts for more than a token in the environment.
            (Some(login), Some(organization), _) => {
                let (organization, login) = (organization.clone(), login.clone());
                let password = password(options, &login)?;
                (Credentials::Password { organization, login, password }, Held::default())
            }
            (_, _, Some(token)) => {
                let access = Some((Arc::from(token.trim()), None));
                (Credentials::Given, Held { access, refresh: None })
            }
            (_, _, None) => bail!(
                "nobody is named to sign in; give --organization and --login, or ANNALS_TOKEN"
            ),
        };
        let session = Self { http, command, credentials, held: Mutex::new(held) };
        session.token().await?;
        Ok(session)
    }

    /// Whether this session can be renewed.
    pub(super) fn is_own(&self) -> bool {
        match self.credentials {
            Credentials::Given => false,
            Credentials::Password { .. } => true,
        }
    }

    /// A token that is good for a while; whoever finds it old renews it for all.
    pub(super) async fn token(&self) -> Result<Arc<str>, Error> {
        let mut held = self.held.lock().await;
        if let Some((token, until)) = &held.access
            && until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(Arc::clone(token));
        }
        let tokens = self.renewed(held.refresh.take()).await?;
        let token: Arc<str> = Arc::from(tokens.access_token);
        let life = Duration::from_secs(tokens.expires_in);
        let until = Instant::now() + life.saturating_sub(MARGIN).max(life / 2);
        held.access = Some((Arc::clone(&token), Some(until)));
        held.refresh = tokens.refresh_token;
        Ok(token)
    }

    /// The server does not take this token any longer.
    pub(super) async fn forget(&self, token: &str) {
        let mut held = self.held.lock().await;
        if held.access.as_ref().is_some_and(|(held, _)| **held == *token) {
            held.access = None;
        }
    }

    async fn renewed(&self, refresh: Option<String>) -> Result<Tokens, Error> {
        let Credentials::Password { organization, login, password } = &self.credentials else {
            return Err(Error::Failed(anyhow::anyhow!("the token given has expired")));
        };
        if let Some(refresh) = refresh {
            // Sent once only: a refresh token that comes twice ends the session. Then we sign in again.
            let body = json!({ "refresh_token": refresh });
            let sent = self.http.post(format!("{}/auth/refresh", self.command)).json(&body);
            if let Ok(response) = sent.send().await
                && response.status().is_success()
            {
                return read(response).await;
            }
        }
        let body = json!({ "organization": organization, "login": login, "password": password });
        self.public("/auth/login", &body).await
    }

    async fn public(&self, path: &str, body: &Value) -> Result<Tokens, Error> {
        let url = format!("{}{path}", self.command);
        read(persist(|| self.http.post(&url).json(body)).await?).await
    }

    /// Signs out; a session that stays behind ends by itself.
    pub(super) async fn end(self) {
        let held = self.held.into_inner();
        let (Credentials::Password { .. }, Some((token, _))) = (&self.credentials, held.access)
        else {
            return;
        };
        let request = self.http.post(format!("{}/auth/logout", self.command)).bearer_auth(token);
        let _ends_by_itself = request.json(&json!({})).send().await;
    }
}

fn password(options: &Options, login: &str) -> anyhow::Result<String> {
    let text = match &options.password_file {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the password from {}", file.display()))?,
        None => prompt(&format!("Password of {login}: "))?,
    };
    let password = text.trim_end_matches(['\r', '\n']);
    ensure!(!password.is_empty(), "the password is empty");
    Ok(password.to_owned())
}

/// Asks on the terminal without showing what is typed.
fn prompt(question: &str) -> anyhow::Result<String> {
    use std::io::{IsTerminal as _, Write as _};

    use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    ensure!(
        stdin.is_terminal(),
        "there is no terminal to ask for the password; give --password-file"
    );
    eprint!("{question}");
    std::io::stderr().flush()?;
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden)?;
    let mut line = String::new();
    let read = stdin.read_line(&mut line);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &shown)?;
    eprintln!();
    read?;
    Ok(line)
}
