//! Servers that take turns are bound to one core, and the load generator to another one.

use std::path::Path;

use crate::place::{Bench, server_program, until};

#[tokio::test]
async fn both_servers_of_a_comparison_have_the_same_core() {
    let folder = tempfile::tempdir().unwrap();
    let program = server_program();
    let options = ["--pin", "--versus", program.to_str().unwrap(), "--duration", "2h", "--warmup", "0s"];
    let bench = Bench::start(folder.path(), &[&["run", "ping"][..], &options].concat());
    let has_two_cores = std::thread::available_parallelism().unwrap().get() > 1;
    if !has_two_cores {
        let ended = bench.ended();
        assert!(String::from_utf8(ended.stderr).unwrap().contains("two cores are needed"));
        return;
    }
    bench.measures();
    let of_generator = cores(Path::new("/proc").join(bench.pid()));
    let threads = std::fs::read_dir(Path::new("/proc").join(bench.pid()).join("task")).unwrap();
    let of_threads: Vec<_> = threads.map(|thread| cores(thread.unwrap().path())).collect();
    assert!(of_threads.len() > 1 && of_threads.iter().all(|cores| *cores == of_generator), "{of_threads:?}");
    let servers = children(&bench.pid());
    let of_servers: Vec<_> = servers.iter().map(|pid| cores(Path::new("/proc").join(pid))).collect();
    assert!(of_servers.len() == 2 && of_servers[0] == of_servers[1], "{of_servers:?}");
    assert!(of_servers[0].len() == 1 && of_generator.len() == 1 && of_servers[0] != of_generator, "{of_generator:?}");
    bench.interrupt();
    drop(bench.ended());
    until("the end of the servers", || servers.iter().all(|pid| !Path::new("/proc").join(pid).exists())).await;
}

/// Returns the cores that a process may use, as far as they are single ones.
fn cores(process: impl AsRef<Path>) -> Vec<String> {
    let status = std::fs::read_to_string(process.as_ref().join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    line.trim().split(',').map(str::to_owned).collect()
}

/// Returns the processes that a process started.
fn children(parent: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let is_child = |path: &Path| {
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|found| found.trim() == parent))
    };
    let children = all.filter(|entry| is_child(&entry.path()));
    children.map(|entry| entry.file_name().into_string().unwrap()).collect()
}
