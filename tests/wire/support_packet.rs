//! The memory that a support packet needs in a real process.

use std::fmt::Write;

use crate::support::packet::{PATH, Packet};
use crate::support::process::{Workplace, read};
use crate::support::server::account;

/// The size of the log in bytes, which is more than the server may hold in memory.
const LOG: usize = 64 << 20;

/// The maximum growth of the process while it packs the log, in kilobytes.
const MAX_GROWTH_KB: u64 = 24 << 10;

#[actix_web::test]
async fn a_long_log_is_packed_without_being_held_in_memory() {
    let place = Workplace::new("[LogSettings]\nEnableConsole = false\nFileLocation = \"logs\"\n").await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let id = admin.user_id.clone();
    admin.get(&format!("{PATH}?basic_server_logs=false")).await;
    let mut lines = String::with_capacity(LOG);
    for number in 0_u64.. {
        let word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(lines, r#"{{"level":"info","msg":"{word:x}","user_id":"{id}","n":{number}}}"#).unwrap();
        if lines.len() >= LOG {
            break;
        }
    }
    std::fs::write(place.path("logs/mattermost.log.1"), &lines).unwrap();
    let process = server.id();
    let before = peak_kb(process);
    let packet = Packet::in_reply(&admin.get(PATH).await);
    let grown = peak_kb(process) - before;
    assert!(packet.0["mattermost.log.1"].len() >= LOG, "it is there");
    packet.manifest();
    assert!(grown < MAX_GROWTH_KB, "{grown} kB");
    server.stop().await;
}

/// Returns the peak of the resident memory of a process, in kilobytes.
fn peak_kb(process: u32) -> u64 {
    let status = read(std::path::Path::new(&format!("/proc/{process}/status")));
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
