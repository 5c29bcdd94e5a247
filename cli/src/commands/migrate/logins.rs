//! A login of its own for each process: whoever runs code in one can do in Postgres what that one may, and no more.

use anyhow::{Context as _, ensure};
use platform::db::locks;
use platform::secrets::scram_verifier;
use sqlx::{Executor as _, PgPool};

use crate::commands::processes::Process;

/// Shorter ones can be guessed against a stolen verifier.
const SHORTEST: usize = 16;

macro_rules! passwords {
    ($($member:ident, $process:ident, $login:literal, $long:literal, $env:literal;)*) => {
        /// The passwords to sign in with; a process without one keeps what it has.
        #[derive(Debug, clap::Args)]
        pub(super) struct Logins {$(
            #[arg(
                long = $long,
                env = $env,
                hide_env_values = true,
                value_name = "PASSWORD",
                help = concat!("Password of `", $login, "`")
            )]
            $member: Option<String>,
        )*}

        impl Logins {
            fn password(&self, process: Process) -> Option<&str> {
                match process {
                    $(Process::$process => self.$member.as_deref(),)*
                }
            }
        }
    };
}

passwords! {
    command_api, CommandApi, "annals_command_api", "command-api-password", "COMMAND_API_PASSWORD";
    relay, Relay, "annals_relay", "relay-password", "RELAY_PASSWORD";
    projectors, Projectors, "annals_projectors", "projectors-password", "PROJECTORS_PASSWORD";
    query_api, QueryApi, "annals_query_api", "query-api-password", "QUERY_API_PASSWORD";
    workers, Workers, "annals_workers", "workers-password", "WORKERS_PASSWORD";
}

impl Logins {
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
