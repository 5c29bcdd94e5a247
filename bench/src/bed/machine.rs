//! What the numbers were measured on, because they mean nothing without it.

use serde::Serialize;
use sqlx::PgPool;

/// The machine and the settings of Postgres that decide about speed.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_mib: u64,
    kernel: String,
    /// What the data of Postgres lies on; `tmpfs` here would make every number worthless.
    filesystem: String,
    postgres: String,
    settings: Vec<String>,
    /// Whether this program was built with optimisation.
    pub(crate) release: bool,
    /// Runnable tasks in the last minute before, of others: a busy machine disturbs.
    load_before: String,
}

const SETTINGS: &[&str] = &[
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "data_checksums",
];

impl Machine {
    pub(crate) async fn look(pool: &PgPool) -> anyhow::Result<Self> {
        let postgres: String =
            sqlx::query_scalar("select current_setting('server_version')").fetch_one(pool).await?;
        let mut settings = Vec::new();
        for name in SETTINGS {
            let value: String =
                sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(pool).await?;
            settings.push(format!("{name}={value}"));
        }
        let data: String =
            sqlx::query_scalar("select current_setting('data_directory')").fetch_one(pool).await?;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: field("/proc/cpuinfo", "model name"),
            memory_mib: kib("/proc/meminfo", "MemTotal") / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem(&read("/proc/mounts"), &data),
            postgres,
            settings,
            release: !cfg!(debug_assertions),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        })
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// A size that the kernel tells in KiB.
fn kib(path: &str, name: &str) -> u64 {
    field(path, name).split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Memory that a process has now; `pid` may be `self`.
pub(crate) fn resident_kib(pid: &str) -> u64 {
    kib(&format!("/proc/{pid}/status"), "VmRSS")
}

/// The most memory that a process ever had.
pub(crate) fn peak_kib(pid: &str) -> u64 {
    kib(&format!("/proc/{pid}/status"), "VmHWM")
}

/// Processor time that a process used so far, of all its threads; `pid` may be `self`.
pub(crate) fn processor_seconds(pid: &str) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0; // USER_HZ, the same on every Linux of our kinds
    let text = read(&format!("/proc/{pid}/stat"));
    // The name may contain anything; what follows its closing bracket is numbers.
    let rest = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let times = rest.split_whitespace().skip(11).take(2);
    times.filter_map(|word| word.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// The type of what is mounted deepest above `path`.
fn filesystem(mounts: &str, path: &str) -> String {
    let above = |point: &str| {
        point == "/"
            || path.strip_prefix(point).is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
    };
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(point, _)| above(point))
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind.to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/x xfs rw 0 0\n";
        assert_eq!(filesystem(mounts, "/tmp/x/y"), "xfs");
        assert_eq!(filesystem(mounts, "/tmp/xy"), "tmpfs");
        assert_eq!(filesystem(mounts, "/home"), "ext4");
    }
}
