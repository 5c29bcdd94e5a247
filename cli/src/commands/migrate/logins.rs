//! A login of its own for each process: whoever runs code in one can do in Postgres what that one may, and no more.

use anyhow::{Context as _, ensure};
use platform::db::locks;
use platform::secrets::scram_verifier;
use sqlx::{Executor as _, PgPool};

use crate::commands::processes::Process;

/// Shorter ones can be guessed against a stolen verifier.
const SHORTEST: usize = 16;

/// The passwords to sign in with; a process without one keeps what it has.
#[derive(Debug, clap::Args)]
pub(super) struct Logins {
    /// Password of `annals_command_api`
    #[arg(
        long = "command-api-password",
        env = "COMMAND_API_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    command_api: Option<String>,
    /// Password of `annals_relay`
    #[arg(
        long = "relay-password",
        env = "RELAY_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    relay: Option<String>,
    /// Password of `annals_projectors`
    #[arg(
        long = "projectors-password",
        env = "PROJECTORS_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    projectors: Option<String>,
    /// Password of `annals_query_api`
    #[arg(
        long = "query-api-password",
        env = "QUERY_API_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    query_api: Option<String>,
    /// Password of `annals_workers`
    #[arg(
        long = "workers-password",
        env = "WORKERS_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    workers: Option<String>,
}

impl Logins {
    fn password(&self, process: Process) -> Option<&str> {
        match process {
            Process::CommandApi => self.command_api.as_deref(),
            Process::Relay => self.relay.as_deref(),
            Process::Projectors => self.projectors.as_deref(),
            Process::QueryApi => self.query_api.as_deref(),
            Process::Workers => self.workers.as_deref(),
        }
    }

    /// Makes the logins that are missing, and sets the passwords; how many logins that were.
    pub(super) async fn allow(&self, pool: &PgPool) -> anyhow::Result<usize> {
        let mut given = Vec::new();
        for process in Process::ALL {
            let Some(password) = self.password(process) else { continue };
            let printable = password.bytes().all(|byte| byte.is_ascii_graphic());
            ensure!(
                printable && password.len() >= SHORTEST,
                "the password of {} must be {SHORTEST} or more printable ASCII characters without blanks; \
                 make one with `openssl rand -hex 24`",
                login(process)
            );
            given.push((process, password));
        }
        let mut transaction = pool.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(locks::LOGINS)
            .execute(&mut *transaction)
            .await?;
        for (process, password) in &given {
            transaction
                .execute(statement(*process, password).as_str())
                .await
                .with_context(|| format!("cannot make {}", login(*process)))?;
        }
        transaction.commit().await?;
        Ok(given.len())
    }
}

/// The name that `process` signs in with.
fn login(process: Process) -> String {
    format!("annals_{}", process.roles()[0].name())
}

/// Names come from closed lists, and a verifier holds no quote. The password itself never leaves this process.
fn statement(process: Process, password: &str) -> String {
    let (login, verifier) = (login(process), scram_verifier(password));
    let roles: Vec<&str> = process.roles().iter().map(|role| role.name()).collect();
    format!(
        "do $$ begin
           if not exists (select from pg_roles where rolname = '{login}') then create role {login}; end if;
         end $$;
         alter role {login} login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls password '{verifier}';
         grant {} to {login}",
        roles.join(", ")
    )
}
