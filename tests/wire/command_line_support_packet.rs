//! The command `quarterdeck support-packet` without a running server.

use crate::support::packet::{Packet, reasons};
use crate::support::process::Workplace;

const QUIET: &str = "[LogSettings]\nEnableConsole = false\nFileLocation = \"logs\"\n";

#[actix_web::test]
async fn a_packet_is_written_without_a_server_and_says_what_it_lacks() {
    let place = Workplace::new(QUIET).await;
    place.serve().await.stop().await;
    let made = place.run(&["support-packet", "--output", "packet.zip"], "").await;
    assert!(made.status.success(), "{made:?}");
    assert_eq!(String::from_utf8(made.stdout).unwrap(), "packet.zip\n");
    let packet = Packet::unpacked(std::fs::read(place.path("packet.zip")).unwrap());
    let manifest = packet.manifest();
    assert_eq!(manifest["generated_by"], "command line");
    assert_eq!(
        reasons(&manifest["not_available"], "diagnostics.yaml: websocket"),
        ["available from a running server only"]
    );
    for name in ["stats.yaml", "database_schema.yaml", "metadata.yaml", "mattermost.log"] {
        assert!(!packet.text(name).is_empty(), "{name}");
    }
    let again = place.run(&["support-packet", "--output", "packet.zip"], "").await;
    assert_eq!(again.status.code(), Some(1), "a file that is there stays");
    let without = place.run(&["support-packet", "--output", "other.zip", "--no-logs"], "").await;
    assert!(without.status.success(), "{without:?}");
    let without = Packet::unpacked(std::fs::read(place.path("other.zip")).unwrap());
    assert!(!without.names().contains(&"mattermost.log"));
}

#[actix_web::test]
async fn a_packet_of_a_server_that_never_started_makes_nothing_but_the_packet() {
    let place = Workplace::new(QUIET).await;
    let made = place.run(&["support-packet", "--output", "packet.zip"], "").await;
    assert!(made.status.success(), "{made:?}");
    let packet = Packet::unpacked(std::fs::read(place.path("packet.zip")).unwrap());
    let manifest = packet.manifest();
    assert_eq!(reasons(&manifest["not_available"], "database_schema.yaml"), ["the database has no tables yet"]);
    let mut left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["config.toml", "packet.zip"]);
}

#[actix_web::test]
async fn a_licence_that_is_asked_for_is_needed_here_as_well() {
    let place = Workplace::new(&format!("{QUIET}[Quarterdeck]\nSupportPacketNeedsLicense = true\n")).await;
    let refused = place.run(&["support-packet", "--output", "packet.zip"], "").await;
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(text, "quarterdeck: the settings require a licence, and no licence is active\n");
}
