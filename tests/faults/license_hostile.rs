//! Many and large uploads that are not licences: each is refused, and the licence in force stays.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::license::{Seller, upload};
use crate::support::server::account;
use crate::support::waiting::within;
use crate::support::{Client, Home, Process, raw};

/// The seed of the random cases, which is the same for each run.
const SEED: u64 = 0x5eed_0f1a_2b3c_4d5e;

/// The number of attempts for each random fault.
const TIMES: usize = 60;

const FORM: &str = "multipart/form-data; boundary=limit";
const INVALID: &str = "api.license.add_license.invalid.app_error";

/// The memory that a server may need for an upload of any length, in KiB: twice the longest form, with a margin.
const ROOM: u64 = 24 << 10;

#[actix_web::test]
async fn random_truncated_and_flipped_licences_are_refused() {
    let Scene { seller, server, admin, _home } = Scene::new().await;
    let good = seller.license(&[]).await.into_bytes();
    let in_force = shown(&admin).await;
    let mut chance = Chance(SEED);
    for _ in 0..TIMES {
        let random: Vec<u8> = (0..chance.below(3_000)).map(|_| chance.byte()).collect();
        let truncated = good[..chance.below(good.len())].to_vec();
        let mut flipped = good.clone();
        flipped[chance.below(good.len())] ^= 1 << chance.below(8);
        for text in [random, truncated, flipped] {
            assert_eq!(sent(&server, &admin, FORM, &form(&text)).await, (400, INVALID.to_owned()), "{text:?}");
        }
    }
    assert_eq!(shown(&admin).await, in_force);
}

#[actix_web::test]
async fn signed_documents_that_are_no_licences_are_refused_however_deep_or_wrong() {
    const DEEP: usize = 100_000;
    let Scene { seller, server, admin, _home } = Scene::new().await;
    let in_force = shown(&admin).await;
    let levels = |open: &str, close: &str| format!("{}0{}", open.repeat(DEEP), close.repeat(DEEP));
    let mut documents = vec![
        levels("[", "]"),
        levels("{\"a\":", "}"),
        format!("{{\"limits\":{},\"customer\":{{}},\"features\":{{\"users\":9}}}}", levels("[", "]")),
        format!("{{\"features\":{}}}", levels("{\"a\":", "}")),
        String::new(),
        "{}".to_owned(),
        "\u{feff}{}".to_owned(),
        format!("{{\"id\":{}}}", "9".repeat(100_000)),
        format!("{{\"id\":\"{}\"}}", "a".repeat(600_000)),
    ];
    // The text is refused by its id and by its end, so a change of one member cannot make it valid.
    let refused = json!({
        "id": "short", "issued_at": 1, "starts_at": 1, "expires_at": 1, "sku_name": "", "sku_short_name": "",
        "is_trial": false, "is_gov_sku": false, "is_seat_count_enforced": false, "extra_users": 1, "signup_jwt": "",
        "limits": null, "customer": { "id": "", "name": "", "email": "", "company": "" },
        "features": { "users": 9, "future_features": true, "ldap": true },
    });
    let values =
        ["null", "true", "-1", "1.5", "1e99", "9223372036854775807", "9223372036854775808", "\"x\"", "[]", "{}"];
    for name in refused.as_object().unwrap().keys() {
        for inner in [None, Some("users"), Some("ldap"), Some("email")] {
            for value in values {
                let mut document = refused.clone();
                let place = match (inner, &mut document[name]) {
                    (None, place) => place,
                    (Some(inner), Value::Object(members)) => members.entry(inner).or_insert(Value::Null),
                    (Some(_), _) => continue,
                };
                *place = "HERE".into();
                documents.push(document.to_string().replace("\"HERE\"", value));
            }
        }
    }
    for document in documents {
        let text = seller.sign(document.as_bytes());
        let (status, id) = sent(&server, &admin, FORM, &form(text.as_bytes())).await;
        let is_known = match status {
            400 => id.starts_with("api.license.add_license.") || id.starts_with("model.license_record."),
            status => status == 500 && id == "api.unmarshal_error",
        };
        assert!(is_known, "{status} {id}: {}", &document[..document.len().min(200)]);
    }
    assert_eq!(shown(&admin).await, in_force);
}

#[actix_web::test]
async fn forms_that_are_none_are_refused() {
    const UNREADABLE: &str = "api.license.add_license.open.app_error";
    const NO_FILE: &str = "api.license.add_license.no_file.app_error";
    let Scene { server, admin, _home, .. } = Scene::new().await;
    let in_force = shown(&admin).await;
    let part =
        |disposition: &str, text: &str| format!("--limit\r\nContent-Disposition: {disposition}\r\n\r\n{text}\r\n");
    let end = "--limit--\r\n";
    let wanted = part("form-data; name=\"license\"; filename=\"a\"", "AAAA");
    let whole = format!("{wanted}{end}");
    let long = "x".repeat(200_000);
    let inner = "--inner\r\nContent-Disposition: file; filename=\"license\"\r\n\r\nAAAA\r\n--inner--";
    let nested = format!(
        "--limit\r\nContent-Disposition: form-data; name=\"files\"\r\n\
         Content-Type: multipart/mixed; boundary=inner\r\n\r\n{inner}\r\n{end}"
    );
    for (kind, body, refusal) in [
        ("", whole.clone(), UNREADABLE),
        ("application/json", whole.clone(), UNREADABLE),
        ("multipart/form-data", whole.clone(), UNREADABLE),
        ("multipart/form-data; boundary=", whole.clone(), UNREADABLE),
        ("multipart/form-data; boundary=other", whole.clone(), UNREADABLE),
        ("multipart/mixed; boundary=limit", whole.clone(), UNREADABLE),
        (&format!("multipart/form-data; boundary={}", "x".repeat(5_000)), whole.clone(), UNREADABLE),
        (FORM, String::new(), UNREADABLE),
        (FORM, "\r\n".repeat(100_000), UNREADABLE),
        (FORM, wanted.clone(), UNREADABLE),
        (FORM, "--limit\r\n".repeat(20_000), UNREADABLE),
        (FORM, format!("--limit\r\nX: {long}"), UNREADABLE),
        (FORM, format!("--limit\r\n{}", "X: y\r\n".repeat(50_000)), UNREADABLE),
        (FORM, end.to_owned(), NO_FILE),
        (FORM, format!("{}{end}", part("form-data; name=\"a\"; filename=\"b\"", "AAAA").repeat(5_000)), NO_FILE),
        (FORM, format!("{}{end}", part("form-data; name=\"licence\"; filename=\"a\"", "AAAA")), NO_FILE),
        (FORM, format!("{}{end}", part("form-data; name=\"license\"", "AAAA")), NO_FILE),
        (FORM, format!("{}{end}", part("attachment", "AAAA")), NO_FILE),
        (FORM, nested, NO_FILE),
        (FORM, whole.clone(), INVALID),
        (
            FORM,
            format!("{}{end}", part(&format!("form-data; name=\"license\"; filename=\"{}\"", &long[..5_000]), "AAAA")),
            INVALID,
        ),
    ] {
        let (status, id) = sent(&server, &admin, kind, body.as_bytes()).await;
        assert_eq!((status, id.as_str()), (400, refusal), "{kind}: {}", &body[..body.len().min(200)]);
    }
    assert_eq!(shown(&admin).await, in_force);
}

#[actix_web::test]
async fn a_gigabyte_is_refused_without_being_kept() {
    const LENGTH: usize = 1 << 30;
    let Scene { server, admin, _home, .. } = Scene::new().await;
    let in_force = shown(&admin).await;
    let begin = form_begin();
    let length = format!("Content-Length: {}", begin.len() + LENGTH);
    for length in [length, "Transfer-Encoding: chunked".to_owned()] {
        let before = server.peak_memory();
        let mut connection = raw::connect(&server.base).await;
        connection.write_all(head(&admin, FORM, &length).as_bytes()).await.unwrap();
        let (mut answers, mut line) = connection.split();
        let is_chunked = length.starts_with("Transfer-Encoding");
        let writing = async {
            let part = |bytes: &[u8]| if is_chunked { chunked(bytes) } else { bytes.to_vec() };
            let mut is_open = line.write_all(&part(begin.as_bytes())).await.is_ok();
            let chunk = part(&b"A".repeat(1 << 16));
            for _ in 0..LENGTH >> 16 {
                // The loop ends when the server no longer reads.
                is_open = is_open && line.write_all(&chunk).await.is_ok();
            }
        };
        let mut answer = Vec::new();
        let reading = async {
            while !answer.ends_with(b"}") {
                let read = within("the server answers", answers.read_buf(&mut answer)).await.unwrap();
                assert!(read > 0, "no answer: {}", String::from_utf8_lossy(&answer));
            }
        };
        futures_util::join!(writing, reading);
        let (status, id) = parsed(&String::from_utf8(answer).unwrap());
        assert_eq!((status, id.as_str()), (413, "api.context.request_body_too_large.app_error"), "{length}");
        let grown = server.peak_memory() - before;
        assert!(grown < ROOM, "{length}: {grown} KiB more");
    }
    assert_eq!(shown(&admin).await, in_force);
}

/// A server with a licence in force.
struct Scene {
    seller: Seller,
    server: Process,
    admin: Client,
    _home: Home,
}

impl Scene {
    async fn new() -> Self {
        let seller = Seller::new().await;
        let home = Home::new(&seller.settings("")).await;
        let server = home.start().await;
        server.client().post("/users", account("admin")).await.expect(201);
        let admin = server.client().log_in("admin").await;
        upload(&admin, &seller.license(&["--company", "In force"]).await).await.expect(201);
        Self { seller, server, admin, _home: home }
    }
}

async fn shown(client: &Client) -> Value {
    let shown = client.get("/license/client?format=old").await.expect(200);
    assert_eq!(shown["Company"], "In force");
    shown
}

fn form_begin() -> String {
    "--limit\r\nContent-Disposition: form-data; name=\"license\"; filename=\"a\"\r\n\r\n".to_owned()
}

fn form(text: &[u8]) -> Vec<u8> {
    [form_begin().as_bytes(), text, b"\r\n--limit--\r\n"].concat()
}

fn chunked(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn head(client: &Client, kind: &str, length: &str) -> String {
    let token = client.token.as_ref().unwrap();
    let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
    format!(
        "POST /api/v4/license HTTP/1.1\r\nHost: _\r\nAuthorization: Bearer {token}\r\n{kind}{length}\r\n\
         Connection: close\r\n\r\n"
    )
}

/// Sends a body on a separate connection. Returns the status and the id of the error.
async fn sent(server: &Process, client: &Client, kind: &str, body: &[u8]) -> (u16, String) {
    let mut connection = raw::connect(&server.base).await;
    let head = head(client, kind, &format!("Content-Length: {}", body.len()));
    connection.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    parsed(&raw::read_to_end(&mut connection).await)
}

fn parsed(answer: &str) -> (u16, String) {
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer}")).parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    (status, body["id"].as_str().unwrap_or_default().to_owned())
}

/// A pseudo-random sequence that is the same for each run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
