//! The benchmark works: a short round with every process of Annals ends and says what it measured.

use std::process::Command;

#[test]
fn a_quick_round_measures_every_process_and_says_that_it_is_not_to_be_quoted() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["run", "memory", "visible", "--quick"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    for part in
        ["command-api", "relay", "projectors", "query-api", "workers", "accepted to visible"]
    {
        assert!(said.contains(part), "{part} was not measured:\n{said}");
    }
    assert!(said.contains("not to be quoted"), "{said}");
}
