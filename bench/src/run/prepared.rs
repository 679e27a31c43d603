//! The requests of a mix, ready to be written to a connection.

use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use super::accounts::{Account, Accounts};
use super::deliveries::Deliveries;
use super::mix::{Auth, Method, Mix, Request, Status};
use super::random::Random;
use super::template::{Template, Variable};
use super::visits::{UPGRADE, Visit};
use crate::cluster::number::NUMBER_DIGITS;

/// All requests of a run, with the values of their variables.
pub(crate) struct Prepared {
    pub(crate) requests: Vec<PreparedRequest>,
    accounts: Accounts,
    host: String,
    silent_host: String,
    seed: u64,
    weights: u64,
    /// The number of the first publication.
    pub(crate) first_publication: u64,
    pub(crate) deliveries: Option<Rc<Deliveries>>,
}

#[derive(Debug)]
pub(crate) struct PreparedRequest {
    pub(crate) think: Duration,
    pub(crate) is_head: bool,
    /// The number of connections that repeat the request beside the mix; 0 if it is part of the mix.
    pub(crate) background: u64,
    pub(crate) socket: Option<Visit>,
    pub(crate) delivery: bool,
    weight: u64,
    method: Method,
    path: Template,
    prefix: String,
    headers: String,
    body: Option<Template>,
    auth: Auth,
    expect: Vec<Status>,
}

impl Prepared {
    /// `prefix` is the path of the site, and `silent_host` an address that accepts connections and sends nothing.
    pub(crate) fn new(mix: &Mix, accounts: Accounts, host: &str, prefix: &str, silent_host: &str, seed: u64) -> Self {
        let requests: Vec<_> = mix.requests.iter().map(|request| PreparedRequest::new(request, prefix)).collect();
        let weights = requests.iter().map(|request| request.weight).sum();
        Self {
            requests,
            accounts,
            host: host.to_owned(),
            silent_host: silent_host.to_owned(),
            seed,
            weights,
            first_publication: 0,
            deliveries: None,
        }
    }

    /// Chooses a request of the mix by its weight.
    pub(crate) fn choose(&self, random: &mut Random) -> usize {
        let mut left = random.below(self.weights);
        for (index, request) in self.requests.iter().enumerate() {
            if left < request.weight {
                return index;
            }
            left -= request.weight;
        }
        0
    }

    /// Writes a request of a user. `sequence` is the number of the request in this run.
    pub(crate) fn write(&self, request: &PreparedRequest, user: u64, sequence: u64, out: &mut Vec<u8>) {
        self.write_with("", request, user, sequence, out);
    }

    /// Writes a request whose path has a query, which is empty or begins with a question mark.
    pub(crate) fn write_with(
        &self,
        query: &str,
        request: &PreparedRequest,
        user: u64,
        sequence: u64,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        let mut random = Random::new(self.seed, sequence);
        let mut random = |end| random.below(end);
        let account = self.accounts.of(user);
        let value = |variable, out: &mut Vec<u8>| self.value(variable, account, sequence, out);
        out.extend_from_slice(request.method.name().as_bytes());
        out.push(b' ');
        out.extend_from_slice(request.prefix.as_bytes());
        request.path.write(out, value, &mut random);
        out.extend_from_slice(query.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        out.extend_from_slice(self.host.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(request.headers.as_bytes());
        let token = match request.auth {
            Auth::None => None,
            Auth::User => account.map(|account| &account.token),
            Auth::Admin => self.accounts.admin.as_ref().map(|admin| &admin.token),
        };
        if let Some(token) = token {
            out.extend_from_slice(b"Authorization: Bearer ");
            out.extend_from_slice(token.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if let Some(template) = &request.body {
            let mut body = Vec::new();
            template.write(&mut body, value, &mut random);
            out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            out.extend_from_slice(&body);
        } else if matches!(request.method, Method::Get | Method::Head) {
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        }
    }

    fn value(&self, variable: Variable, user: Option<&Account>, sequence: u64, out: &mut Vec<u8>) {
        let number;
        let text = match variable {
            Variable::UserId => user.map_or("", |user| &user.id),
            Variable::UserName => user.map_or("", |user| &user.name),
            Variable::UserPassword => user.map_or("", |user| &user.password),
            Variable::AdminId => self.accounts.admin.as_ref().map_or("", |admin| &admin.id),
            Variable::Run => &self.accounts.run,
            Variable::SilentHost => &self.silent_host,
            Variable::Publication => {
                number = format!("{:0>NUMBER_DIGITS$}", self.first_publication + sequence);
                &number
            }
            Variable::Sequence => {
                number = sequence.to_string();
                &number
            }
        };
        out.extend_from_slice(text.as_bytes());
    }
}

impl PreparedRequest {
    fn new(request: &Request, prefix: &str) -> Self {
        let mut headers = String::new();
        for (name, value) in &request.headers {
            let _ = write!(headers, "{}: {}\r\n", name.0, value.0);
        }
        let has_type = request.headers.keys().any(|name| name.0.eq_ignore_ascii_case("content-type"));
        if request.body.is_some() && !has_type {
            headers.push_str("Content-Type: application/json\r\n");
        }
        if request.socket.is_some() {
            headers.push_str(UPGRADE);
        }
        let background = request.background.map_or(0, |count| count.0);
        let weight = if background > 0 { 0 } else { request.weight.map_or(1, |count| count.0) };
        Self {
            think: request.think_time(),
            is_head: request.method == Method::Head,
            background,
            socket: request.socket,
            delivery: request.delivery,
            weight,
            method: request.method,
            path: request.path.0.clone(),
            prefix: prefix.to_owned(),
            headers,
            body: request.body.clone(),
            auth: request.auth,
            expect: request.expect.clone(),
        }
    }

    /// Returns true if a response with this status is a success.
    pub(crate) fn expects(&self, status: u16) -> bool {
        if self.expect.is_empty() { (200..300).contains(&status) } else { self.expect.contains(&Status(status)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: &str = r#"
format = 1
about = "A test."
load = { rate = 1 }

[[request]]
name = "often"
weight = 9
path = "/api/v4/users/${user.id}"
auth = "user"

[[request]]
name = "seldom"
method = "POST"
path = "/x?n=${sequence}"
auth = "admin"
headers = { Accept = "a/b" }
body = '{"name":"${user.name}"}'
expect = [201, 409]

[[request]]
name = "beside"
path = "/y"
background = 3
"#;

    fn prepared() -> Prepared {
        let account = |name: &str| Account {
            id: format!("id-{name}"),
            name: name.to_owned(),
            password: "p".to_owned(),
            token: format!("t-{name}"),
        };
        let accounts =
            Accounts { admin: Some(account("root")), users: vec![account("a"), account("b")], ..Accounts::default() };
        Prepared::new(&Mix::read(MIX).unwrap(), accounts, "host:1", "/chat", "127.0.0.1:9", 5)
    }

    fn written(prepared: &Prepared, request: usize, user: u64, sequence: u64) -> String {
        let mut out = Vec::new();
        prepared.write(&prepared.requests[request], user, sequence, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_is_written_for_its_user() {
        let prepared = prepared();
        let head = "GET /chat/api/v4/users/id-b HTTP/1.1\r\nHost: host:1\r\nAuthorization: Bearer t-b\r\n\r\n";
        assert_eq!((written(&prepared, 0, 1, 0).as_str(), written(&prepared, 0, 3, 9).as_str()), (head, head));
        assert_eq!(
            written(&prepared, 1, 0, 7),
            "POST /chat/x?n=7 HTTP/1.1\r\nHost: host:1\r\nAccept: a/b\r\nContent-Type: application/json\r\n\
             Authorization: Bearer t-root\r\nContent-Length: 12\r\n\r\n{\"name\":\"a\"}"
        );
    }

    #[test]
    fn requests_are_chosen_by_their_weight_and_never_from_the_background() {
        let (prepared, mut random) = (prepared(), Random::new(1, 1));
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            counts[prepared.choose(&mut random)] += 1;
        }
        assert!((8800..9200).contains(&counts[0]) && counts[2] == 0, "{counts:?}");
    }

    #[test]
    fn a_success_is_an_expected_status() {
        let prepared = prepared();
        let expects = |request: usize, status| prepared.requests[request].expects(status);
        assert!(expects(0, 200) && expects(0, 204) && !expects(0, 301));
        assert!(expects(1, 409) && !expects(1, 200));
    }
}
