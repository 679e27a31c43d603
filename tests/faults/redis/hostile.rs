//! Another program writes to the stream.

use super::{Place, TRUST_LIMIT, change, changed, next_change};
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;

/// Commands that make the stream unlike the one that servers write. `KEY` is its key.
const COMMANDS: [&[&str]; 9] = [
    &["XADD", "KEY", "*", "c", "one 1\nevent 2\n{}"],
    &["XADD", "KEY", "*", "other", "\u{1}"],
    &["DEL", "KEY"],
    &["SET", "KEY", "no stream"],
    &["XTRIM", "KEY", "MAXLEN", "0"],
    &["XADD", "KEY", "18446744073709551615-18446744073709551615", "c", "the highest id"],
    &["EVAL", "for i = 1, 2000 do redis.call('XADD', KEYS[1], '*', 'c', i) end", "1", "KEY"],
    &["EVAL", "redis.call('XADD', KEYS[1], '*', 'c', string.rep('x', 40000000))", "1", "KEY"],
    &["FLUSHALL"],
];

#[actix_web::test]
async fn entries_of_another_writer_stop_no_server() {
    let Some(place) = Place::start().await else { return };
    let (key, there) = (place.redis.stream().unwrap(), place.there());
    for (number, command) in COMMANDS.iter().enumerate() {
        let named = |word: &&'static str| match *word {
            "KEY" => key.clone(),
            word => word.to_owned(),
        };
        let words: Vec<String> = command.iter().map(named).collect();
        place.redis.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        // Sockets may end, and clients connect again. Then events arrive.
        let value = number.to_string();
        let arrives = async || {
            let (mut socket, _) = WebSocket::greeted(&there).await;
            change(&place.anna, &value).await;
            let found = tokio::time::timeout(TRUST_LIMIT, changed(&mut socket)).await;
            found.is_ok_and(|found| found.as_ref() == Some(&value))
        };
        until(&format!("an event arrives after {command:?}"), arrives).await;
    }
    place.both_ready().await;
    place.uses_redis().await;
}

#[actix_web::test]
async fn a_writer_to_redis_forges_no_event_and_hides_no_change() {
    let Some(place) = Place::start().await else { return };
    place.other_has_all().await;
    let (mut socket, _) = WebSocket::greeted(&place.there()).await;
    let session = place.one.login("admin").await;
    let elsewhere = session.at(&place.other.base);
    elsewhere.get("/users/me").await.expect(200);
    // The other server reads what the writer puts in the place of a content.
    let value = place.unread().await;
    let token = session.token.as_deref().unwrap();
    place.one.execute(&format!("DELETE FROM sessions WHERE token = '{token}'")).await;
    let key = place.redis.stream().unwrap();
    let (id, content) = place.redis.entries().into_iter().rfind(|(_, text)| text.contains(&value)).unwrap();
    place.redis.run(&["DEL", &key]);
    place.redis.run(&["XADD", &key, &id, "c", &content.replace("unread", "forged")]);
    place.line.restore();
    // On a slow machine the server that published the event stores it in the database as well, so it may arrive.
    let forged = value.replace("unread", "forged");
    let found = next_change(&mut socket, |found| found == value || found == forged).await;
    assert_ne!(found.as_ref(), Some(&forged), "a forged event is a missed one");
    assert_eq!(elsewhere.get("/users/me").await.status, 401);
    place.both_ready().await;
}
