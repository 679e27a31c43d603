//! The database is unavailable when the server starts.

use tokio_postgres::NoTls;

use crate::support::server::account;
use crate::support::{Home, Proxy, database};

#[actix_web::test]
async fn a_server_waits_for_its_database_and_says_so() {
    let Some(base) = database::only_postgres("the embedded engine cannot be late") else { return };
    let proxy = Proxy::start_refused(database::host(&base));
    let home = behind(&proxy, &base).await;
    let mut server = home.launch();
    // The retry delays double, so that a starting database is not overloaded.
    let said = server.complains_until(|said| retry_delays_ms(said).len() == 3).await;
    assert_eq!(retry_delays_ms(&said), [250, 500, 1000], "{said}");
    assert!(said.contains("the database does not answer"), "{said}");
    assert!(!server.is_listening());
    proxy.restore();
    server.listens().await;
    server.client().post("/users", account("anna")).await.expect(201);
}

#[actix_web::test]
async fn a_server_that_waits_for_its_database_can_be_stopped() {
    let Some(base) = database::only_postgres("the embedded engine cannot be late") else { return };
    let proxy = Proxy::start_refused(database::host(&base));
    let home = behind(&proxy, &base).await;
    let mut server = home.launch();
    server.complains_until(|said| said.contains("the database does not answer")).await;
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_server_waits_for_a_lock_on_its_database() {
    let Some(base) = database::only_postgres("no other program locks the embedded engine") else { return };
    let schema = database::fresh_schema(&base).await;
    let home = Home::on_database(&database::settings_in(&base, &schema), "");
    assert!(home.start().await.stop().await.success());
    let (holder, work) = tokio_postgres::connect(&base, NoTls).await.unwrap();
    let work = tokio::spawn(work);
    let lock = format!("BEGIN; LOCK TABLE {schema}.qd_outbox IN ACCESS EXCLUSIVE MODE");
    holder.batch_execute(&lock).await.unwrap();
    let mut server = home.launch();
    server.complains_until(|said| said.contains("lock timeout") && said.contains("trying again")).await;
    holder.batch_execute("ROLLBACK").await.unwrap();
    server.listens().await;
    drop(holder);
    work.await.unwrap().unwrap();
    assert!(server.stop().await.success());
}

async fn behind(proxy: &Proxy, base: &str) -> Home {
    let schema = database::fresh_schema(base).await;
    let settings = database::settings_in(base, &schema);
    Home::on_database(&settings.replace(database::host(base), &proxy.address().to_string()), "")
}

/// Returns each announced retry delay, for any format and colours of the log.
fn retry_delays_ms(log: &str) -> Vec<u32> {
    let announced = log.lines().filter_map(|line| line.split_once("retry_delay_ms"));
    announced.map(|(_, rest)| numbers(rest).last().unwrap()).collect()
}

fn numbers(text: &str) -> impl Iterator<Item = u32> {
    text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}
