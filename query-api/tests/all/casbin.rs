//! The policy as Casbin reads it: the real `pycasbin` answers as we do.

use std::path::Path;
use std::process::Command;

use events::rbac::casbin::{self, Line};
use serde_json::{Value, json};

use crate::access::{ASKED, Story};
use crate::support::World;

const CASBIN: &str = "casbin==1.43.0";

const PROGRAM: &str = r#"
import casbin, json, sys
enforcer = casbin.Enforcer(sys.argv[1])
enforcer.add_named_domain_matching_func("g", casbin.util.key_match_func)
enforcer.set_adapter(casbin.FileAdapter(sys.argv[2]))
enforcer.load_policy()
print(json.dumps([enforcer.enforce(*asked) for asked in json.load(open(sys.argv[3]))]))
"#;

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; install python3 and python3-venv"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn casbin_reads_the_policy_and_answers_as_we_do() {
    let world = World::without_projections().await;
    let mut story = Story::begin(&world).await;
    for _ in 0..120 {
        story.step().await;
    }
    let text = world.get("/rbac/policy.csv", &story.org.owner).send().await.unwrap();
    assert_eq!(text.headers()["content-type"], "text/csv; charset=utf-8");
    let text = text.text().await.unwrap();
    for line in text.lines() {
        let read = casbin::read(line).unwrap().map(|line: Line| line.to_string());
        assert_eq!(read.as_deref(), Some(line), "each line comes back as it is");
    }
    let (mut questions, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..1_000 {
        let user = story.numbers.below(story.users.len());
        let unit = Some(story.numbers.below(6)).filter(|unit| *unit < story.units.len());
        let permission = story.numbers.of(&ASKED);
        let path = story.path(unit);
        let domain = casbin::domain(&path);
        let domain = if path.is_empty() { "/" } else { domain.trim_end_matches('*') };
        let (resource, action) = permission.split_once(':').unwrap();
        questions.push(json!([format!("user{user}"), domain, resource, action]));
        expected.push(story.state.enforced(story.users[user], permission, &path));
    }
    assert!(expected.contains(&true) && expected.contains(&false));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let files = [
        file("model.conf", casbin::MODEL),
        file("policy.csv", &text),
        file("questions.json", &Value::from(questions.clone()).to_string()),
    ];
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = platform::testkit::python(folder, CASBIN).unwrap();
    let answers = run(Command::new(python.join("bin/python")).args(["-c", PROGRAM]).args(&files));
    let answers: Vec<bool> = serde_json::from_str(&answers).unwrap();
    assert_eq!(answers.len(), expected.len());
    for ((question, answer), expected) in questions.iter().zip(answers).zip(expected) {
        assert_eq!(answer, expected, "{question}\n{text}");
    }
    world.end().await;
}
