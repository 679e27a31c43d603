//! Tests of the accounts against a site whose responses are known.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

#[derive(Default)]
struct Site {
    roles: &'static str,
    /// The end of the name of an account that is created, although the response is lost.
    loses: Option<&'static str>,
    forbids_removal: bool,
    /// The ends of the names of accounts that can be neither removed nor deactivated.
    keeps: &'static [&'static str],
}

const ADMIN: Site = Site { roles: "system_user system_admin", loses: None, forbids_removal: false, keeps: &[] };

#[tokio::test]
async fn a_token_of_a_user_is_the_only_account() {
    let address = ADMIN.with(|site| site.roles = "system_user").start().await;
    let (_tell, mut interrupt) = Interrupt::of_test();
    let mut accounts = Accounts::with_token(&address, "t", 5, &mut interrupt).await.unwrap();
    assert!(accounts.admin.is_none() && accounts.users.len() == 1 && accounts.users[0].name == "root");
    assert!(accounts.remove(&address, &mut interrupt).await.is_empty());
}

#[tokio::test]
async fn accounts_are_removed_or_else_deactivated_and_those_left_are_named() {
    let (_tell, mut interrupt) = Interrupt::of_test();
    for (forbids_removal, verb) in [(false, "removed"), (true, "deactivated")] {
        let site = ADMIN.with(|site| (site.forbids_removal, site.keeps) = (forbids_removal, &["-2", "-4"]));
        let address = site.start().await;
        let mut accounts = Accounts::with_token(&address, "t", 5, &mut interrupt).await.unwrap();
        let run = accounts.run.clone();
        assert_eq!(
            accounts.remove(&address, &mut interrupt).await,
            [
                format!("{verb} 3 accounts: bench-{run}-1 to bench-{run}-5"),
                format!("could not remove or deactivate 2 accounts: bench-{run}-2, bench-{run}-4")
            ]
        );
    }
}

#[tokio::test]
async fn an_account_whose_creation_has_no_response_is_removed_too() {
    let address = ADMIN.with(|site| site.loses = Some("-3")).start().await;
    let (_tell, mut interrupt) = Interrupt::of_test();
    let cause = Accounts::with_token(&address, "t", 5, &mut interrupt).await.unwrap_err().to_string();
    assert!(cause.contains("; removed 3 accounts: bench-") && cause.ends_with("-3"), "{cause}");
}

#[tokio::test]
async fn a_signal_ends_the_creation_of_accounts() {
    let address = ADMIN.start().await;
    let (tell, mut interrupt) = Interrupt::of_test();
    tell.send_replace(1);
    let cause = Accounts::with_token(&address, "t", 1000, &mut interrupt).await.unwrap_err().to_string();
    assert!(cause.contains("the user ended the run"), "{cause}");
}

#[tokio::test]
async fn a_second_signal_ends_the_removal_and_names_the_accounts_that_are_left() {
    let address = ADMIN.start().await;
    let (tell, mut interrupt) = Interrupt::of_test();
    let mut accounts = Accounts::with_token(&address, "t", 2, &mut interrupt).await.unwrap();
    tell.send_replace(2);
    let (run, notes) = (accounts.run.clone(), accounts.remove(&address, &mut interrupt).await);
    assert_eq!(notes, [format!("could not remove or deactivate 2 accounts: bench-{run}-1, bench-{run}-2")]);
}

#[tokio::test]
async fn a_server_with_accounts_is_not_a_new_one() {
    let address = ADMIN.with(|site| site.roles = "system_user").start().await;
    let (_tell, mut interrupt) = Interrupt::of_test();
    let cause = Accounts::on_new_server(&address, 1, &mut interrupt).await.unwrap_err().to_string();
    assert!(cause.contains("is not an administrator"), "{cause}");
}

#[test]
fn users_take_turns_with_the_accounts() {
    let account = |name: &str| Account { name: name.to_owned(), ..Account::default() };
    let accounts = Accounts { users: vec![account("a"), account("b")], ..Accounts::default() };
    let names = [0, 1, 2, 5].map(|user| accounts.of(user).unwrap().name.as_str());
    assert_eq!(names, ["a", "b", "a", "b"]);
    assert!(Accounts::default().of(0).is_none());
}

#[test]
fn accounts_are_listed_by_the_first_and_the_last() {
    let names = ["bench-1", "bench-2", "bench-3"].map(str::to_owned);
    assert_eq!(
        (listed(&names), listed(&names[..1]), count(1)),
        ("bench-1 to bench-3".into(), "bench-1".into(), "1 account".into())
    );
}

impl Site {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    async fn start(self) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, site.clone()));
            }
        });
        Address::resolve(&address, None).await.unwrap()
    }

    /// Returns the status and the body of a response, unless it is lost.
    fn answer(&self, request: &str) -> Option<(u16, Value)> {
        let (head, body) = request.split_once("\r\n\r\n")?;
        let mut words = head.split(' ');
        let (method, path) = (words.next()?, words.next()?.strip_prefix("/api/v4/users")?);
        let ends_with = |name: &str, end: &str| name.ends_with(end);
        match (method, path) {
            ("GET", "/me") => Some((200, json!({ "id": "root", "username": "root", "roles": self.roles }))),
            ("POST", "/login") => Some((200, json!({}))),
            ("POST", "") => {
                let account: Value = serde_json::from_str(body).unwrap();
                let name = account["username"].as_str().unwrap();
                let is_lost = self.loses.is_some_and(|end| ends_with(name, end));
                (!is_lost).then(|| (201, json!({ "id": format!("id-{name}"), "roles": self.roles })))
            }
            ("GET", path) => Some((200, json!({ "id": format!("id-{}", path.strip_prefix("/username/")?) }))),
            (_, path) => {
                let (name, query) = path.split_once('?').unwrap_or((path, ""));
                let is_kept = self.keeps.iter().any(|end| ends_with(name, end));
                let is_forbidden = is_kept || (self.forbids_removal && !query.is_empty());
                Some((if is_forbidden { 403 } else { 200 }, json!({})))
            }
        }
    }
}

async fn serve(mut stream: TcpStream, site: Arc<Site>) -> std::io::Result<()> {
    let mut request = String::new();
    while !is_complete(&request) {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        request.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
    }
    let Some((status, body)) = site.answer(&request) else { return Ok(()) };
    let body = body.to_string();
    let head =
        format!("HTTP/1.1 {status} -\r\nToken: t\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await
}

fn is_complete(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let length =
        lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value).next_back();
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
