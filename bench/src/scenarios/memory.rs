//! Resident memory of each process, idle and after work.

use std::time::Duration;

use super::{caught_up, commands};
use crate::Effort;
use crate::bed::{Bed, Process};
use crate::http::request;
use crate::load::{self, Plan};
use crate::report::Report;
use crate::samples::float;

const CATCH_UP: Duration = Duration::from_mins(2);
const CONNECTIONS: usize = 32;
/// What processes do after their start is over by then.
const SETTLED: Duration = Duration::from_secs(3);

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("memory", effort, bed.machine().await?);
    let processes = bed.serve_all().await?;
    let founded = bed.found().await?;
    caught_up(&bed.owner, CATCH_UP).await?;
    tokio::time::sleep(SETTLED).await;
    look(&mut report, "idle", &processes);
    let mut done = 0;
    for _ in 0..effort.rounds {
        let founded = crate::bed::Founded { token: bed.sign_in().await?, ..founded.clone() };
        let plan = |address, request, status| Plan {
            address,
            connections: CONNECTIONS,
            seconds: effort.seconds,
            request,
            ids: Vec::new(),
            status,
        };
        let sent = plan(bed.settings.command_addr, commands::send(&founded), 201);
        done += load::drive(&sent).await?.answered;
        let inbox = request("GET", "/api/v1/notifications", &founded.token, "", None);
        load::drive(&plan(bed.settings.query_addr, inbox, 200)).await?;
    }
    caught_up(&bed.owner, CATCH_UP).await?;
    look(&mut report, "after the run", &processes);
    report.add("after the run", "commands carried out", "", float(done));
    for (_, process) in processes {
        process.stop().await?;
    }
    bed.drop_now().await?;
    Ok(report)
}

fn look(report: &mut Report, when: &str, processes: &[(&'static str, Process)]) {
    for (name, process) in processes {
        let resident = process.resident();
        report.add(when, name, "MiB", resident.now_mib());
        report.add(when, name, "MiB at most", resident.peak_mib());
    }
}
