//! The command asks for the passphrase of a backup on the terminal. `script` gives the program a terminal, `setsid`
//! removes it.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::backup::{QUIET, bad, bring, good, inhabited};
use crate::support::peers;
use crate::support::process::Workplace;

const PASSPHRASE: &str = "correct horse battery";

/// The timeout of a command; a command that hangs fails the test.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Runs a command on a separate terminal and answers each prompt in turn. Returns its exit code and the displayed text.
async fn converse(place: &Workplace, arguments: &str, answers: &[(&str, &str)]) -> (i32, String) {
    let program = env!("CARGO_BIN_EXE_quarterdeck");
    let mut script = Command::new(peers::tool("script"));
    script.args(["--quiet", "--return", "--command", &format!("{program} {arguments}"), "/dev/null"]);
    let mut child = begun(place, &mut script);
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let talking = async {
        let (mut shown, mut looked) = (String::new(), 0);
        let mut answers = answers.iter();
        let mut next = answers.next();
        let mut piece = [0; 1024];
        loop {
            while let Some((prompt, answer)) = next.filter(|(prompt, _)| shown[looked..].contains(*prompt)) {
                looked += shown[looked..].find(*prompt).unwrap() + prompt.len();
                input.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
                next = answers.next();
            }
            // The end of the terminal is an error or the end of the pipe.
            let length = output.read(&mut piece).await.unwrap_or_default();
            if length == 0 {
                break;
            }
            shown.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
        assert!(next.is_none(), "never asked for {next:?}: {shown}");
        (child.wait().await.unwrap().code().unwrap(), shown)
    };
    timeout(TIMEOUT, talking).await.unwrap()
}

/// Runs a command without a terminal.
async fn without_terminal(place: &Workplace, arguments: &[&str]) -> Output {
    let mut detached = Command::new(peers::tool("setsid"));
    detached.arg("--wait").arg(env!("CARGO_BIN_EXE_quarterdeck")).args(arguments);
    timeout(TIMEOUT, begun(place, &mut detached).wait_with_output()).await.unwrap().unwrap()
}

fn begun(place: &Workplace, command: &mut Command) -> tokio::process::Child {
    for name in std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("MM_")) {
        command.env_remove(name);
    }
    command.current_dir(place.path("")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().unwrap()
}

#[actix_web::test]
async fn a_passphrase_is_asked_for_twice_to_make_a_backup_and_once_to_read_it() {
    let (place, server, _) = inhabited(QUIET).await;
    assert!(server.stop().await.success());
    let twice = [("Passphrase: ", PASSPHRASE), ("Repeat the passphrase: ", PASSPHRASE)];
    let (code, shown) = converse(&place, "backup one.qdbackup --encrypt", &twice).await;
    assert!(code == 0 && !shown.contains("it is not encrypted"), "{code}: {shown}");
    let once = [("Passphrase: ", PASSPHRASE)];
    let (code, shown) = converse(&place, "backup verify one.qdbackup", &once).await;
    assert!(code == 0 && !shown.contains("Repeat the passphrase"), "{code}: {shown}");
    let wrong = [("Passphrase: ", "incorrect horse battery")];
    let (code, shown) = converse(&place, "backup verify one.qdbackup", &wrong).await;
    assert!(code == 1 && shown.contains("the passphrase is wrong"), "{code}: {shown}");

    let other = Workplace::new(QUIET).await;
    bring(&place, &other, "one.qdbackup");
    let (code, shown) = converse(&other, "restore one.qdbackup", &once).await;
    assert!(code == 0 && !shown.contains("Repeat the passphrase"), "{code}: {shown}");
    let server = other.serve().await;
    server.client().log_in("anna").await;
    // A file with the same text opens the backup as well.
    std::fs::write(place.path("passphrase"), PASSPHRASE).unwrap();
    good(place.run(&["backup", "verify", "one.qdbackup", "--passphrase-file", "passphrase"], "").await);
}

#[actix_web::test]
async fn passphrases_that_differ_or_are_short_make_no_backup() {
    let (place, server, _) = inhabited(QUIET).await;
    assert!(server.stop().await.success());
    let differ = [("Passphrase: ", PASSPHRASE), ("Repeat the passphrase: ", "correct horse battery!")];
    let (code, shown) = converse(&place, "backup one.qdbackup --encrypt", &differ).await;
    assert!(code == 1 && shown.contains("the two passphrases differ"), "{code}: {shown}");
    let short = [("Passphrase: ", "short"), ("Repeat the passphrase: ", "short")];
    let (code, shown) = converse(&place, "backup one.qdbackup --encrypt", &short).await;
    assert!(code == 1 && shown.contains("at least 12 characters"), "{code}: {shown}");
    assert!(!place.path("one.qdbackup").exists() && !place.path(".one.qdbackup.part").exists());
}

#[actix_web::test]
async fn without_a_terminal_and_without_a_file_a_command_ends_and_says_what_to_do() {
    let (place, server, _) = inhabited(QUIET).await;
    assert!(server.stop().await.success());
    std::fs::write(place.path("passphrase"), PASSPHRASE).unwrap();
    good(place.run(&["backup", "one.qdbackup", "--passphrase-file", "passphrase"], "").await);
    let other = Workplace::new(QUIET).await;
    bring(&place, &other, "one.qdbackup");
    for (place, arguments) in [
        (&place, &["backup", "two.qdbackup", "--encrypt"][..]),
        (&place, &["backup", "verify", "one.qdbackup"]),
        (&other, &["restore", "one.qdbackup"]),
    ] {
        let refused = bad(without_terminal(place, arguments).await);
        assert!(refused.contains("there is no terminal"), "{arguments:?}: {refused}");
        assert!(refused.contains("--passphrase-file"), "{arguments:?}: {refused}");
    }
    assert!(!place.path("two.qdbackup").exists());
}
