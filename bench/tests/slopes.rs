//! A process that leaks memory and descriptors fails a run, and one that does not leak fails none.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::place::{Bench, Server, report};

/// Takes 256 kB and four descriptors a second, and gives nothing back.
const LEAK: &str = "piece=$(head -c 65536 /dev/zero | tr '\\0' x)
while :; do list+=($piece); exec {fd}</dev/null; sleep 0.25; done";

/// Takes and gives back as much.
const STEADY: &str = "piece=$(head -c 65536 /dev/zero | tr '\\0' x)
while :; do text=$piece; exec {fd}</dev/null; exec {fd}<&-; sleep 0.25; done";

/// A process that ends with the test.
struct Observed(Child);

impl Observed {
    fn start(script: &str) -> Self {
        let mut bash = Command::new("bash");
        Self(bash.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_leak_is_found_and_its_absence_too() {
    let server = Server::start().await;
    let load = ["--rate", "10", "--duration", "40s", "--warmup", "0s", "--target", &server.url];
    let conditions = ["--fail-if", "memory-slope>1MB/min", "--fail-if", "descriptor-slope>10/min"];
    let runs = [("leak", LEAK), ("steady", STEADY)].map(|(name, script)| {
        let (observed, out) = (Observed::start(script), server.path(name));
        let pid = observed.0.id().to_string();
        let arguments = [&["run", "ping"][..], &load, &conditions, &["--pid", &pid, "--out", &out]].concat();
        (Bench::start(server.folder.path(), &arguments), observed, out)
    });
    let verdicts = runs.map(|(bench, _observed, out)| {
        let shown = String::from_utf8(bench.ended().stdout).unwrap();
        let verdicts: Vec<Value> = report(&out)["verdicts"].as_array().unwrap().clone();
        (verdicts.iter().map(|verdict| verdict["is_met"].clone()).collect::<Vec<_>>(), shown)
    });
    let [(leak, of_leak), (steady, of_steady)] = verdicts;
    assert_eq!(leak, [json!(true), json!(true)], "{of_leak}");
    assert_eq!(steady, [json!(false), json!(false)], "{of_steady}");
    assert!(of_leak.contains("FAILS                 memory-slope>1MB/min: it is "), "{of_leak}");
    assert!(of_steady.contains("holds                 descriptor-slope>10/min: it is 0.0000 /min"), "{of_steady}");
}
