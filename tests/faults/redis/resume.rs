//! A client resumes its connection on another server, over Redis.

use super::Place;
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;

#[actix_web::test]
async fn a_client_goes_on_at_the_other_server_also_after_redis_lost_what_it_missed() {
    let Some(place) = Place::start().await else { return };
    place.other_has_all().await;
    let (mut socket, id) = WebSocket::greeted(&place.anna).await;
    let sql = format!("SELECT id FROM qd_sockets WHERE id = '{id}'");
    until("the connection is stored", async || place.one.texts(&sql).await.len() == 1).await;
    place.other.count_for_all(0..3).await;
    assert_eq!(socket.counts(0..2, 1).await, 3);
    let mut socket = WebSocket::of(&place.there(), &format!("?connection_id={id}&sequence_number=3")).await;
    place.one.count_for_all(3..5).await;
    assert_eq!(socket.counts(2..5, 3).await, 6, "what was missed comes first");

    // The first server has taken them from the stream before they were lost.
    place.one.count_for_all(5..7).await;
    place.other_has_all().await;
    place.redis.run(&["FLUSHALL"]);
    let mut socket = WebSocket::of(&place.anna, &format!("?connection_id={id}&sequence_number=6")).await;
    assert_eq!(socket.counts(5..7, 6).await, 8);
}
