//! The benchmark works: a short round with processes of Annals ends and says what it measured.

use std::process::Command;

#[test]
fn a_quick_round_measures_something_and_says_that_it_is_not_to_be_quoted() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["run", "fanout", "--quick"]) // it waits for what it counts, however slow the machine
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    for part in ["50 subscribers", "deliveries/s", "query-api", "not to be quoted"] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
}
