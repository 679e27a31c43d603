//! TLS to PostgreSQL: the certificates that each mode accepts, on a server with its own certificate.

use tokio_postgres::NoTls;

use crate::support::database;
use crate::support::process::Workplace;
use crate::support::tls_postgres::TlsPostgres;

/// Returns whether the data source can be used, and the output of `check` about it.
async fn check(place: &Workplace, source: &str) -> (bool, String) {
    place.configure(&settings(source));
    let ended = place.run(&["check"], "").await;
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains("canary"), "{said}");
    (ended.status.success(), said)
}

fn settings(source: &str) -> String {
    let source = source.replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{source}\"\n[LogSettings]\nFileLocation = \"logs\"\n"
    )
}

#[actix_web::test]
async fn each_mode_trusts_what_it_says_and_nothing_else() {
    let Some(_) = database::only_postgres("it starts a PostgreSQL of its own") else { return };
    let Some(postgres) = TlsPostgres::start() else { return };
    let place = Workplace::new("").await;
    let (root, other) = (postgres.file("root.crt"), postgres.file("other.crt"));
    let port = postgres.port;
    let base = format!("hostaddr=127.0.0.1 port={port} user=qd dbname=postgres password='canary'");
    for (words, is_trusted, reason) in [
        ("host=db.test sslmode=disable".to_owned(), false, "no encryption"),
        ("host=db.test".to_owned(), true, ""),
        ("host=db.test sslmode=require".to_owned(), true, ""),
        ("host=other.test sslmode=require".to_owned(), true, ""),
        (format!("host=other.test sslmode=verify-ca sslrootcert={root}"), true, ""),
        (format!("host=other.test sslmode=require sslrootcert={root}"), true, ""),
        (format!("host=other.test sslrootcert={root}"), true, ""),
        (format!("host=db.test sslmode=verify-ca sslrootcert={other}"), false, "certificate"),
        (format!("host=db.test sslmode=require sslrootcert={other}"), false, "certificate"),
        (format!("host=db.test sslmode=verify-full sslrootcert={root}"), true, ""),
        (format!("host=other.test sslmode=verify-full sslrootcert={root}"), false, "certificate"),
        (format!("host=db.test sslmode=verify-full sslrootcert={other}"), false, "certificate"),
        ("host=db.test sslmode=verify-full".to_owned(), false, "certificate"),
        ("host=db.test sslrootcert=system".to_owned(), false, "certificate"),
        (format!("host=db.test sslmode=require options='-c search_path={}'", "public"), true, ""),
        ("host=db.test sslmode=require TimeZone=Nowhere/None".to_owned(), false, "TimeZone"),
    ] {
        let (is_usable, said) = check(&place, &format!("{base} {words}")).await;
        assert_eq!(is_usable, is_trusted, "{words}: {said}");
        assert!(said.contains(reason), "{words}: {said}");
    }
    // The data source is a URL with a client certificate.
    let url = |more: &str| {
        format!("postgres://db.test:{port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={root}{more}")
    };
    let (key, certificate) = (postgres.file("client.key"), postgres.file("client.crt"));
    assert!(check(&place, &url("&user=qd")).await.0);
    let (is_usable, said) = check(&place, &url("&user=guest")).await;
    assert!(!is_usable && said.contains("certificate"), "{said}");
    let role = "CREATE ROLE guest LOGIN; GRANT CREATE ON SCHEMA public TO guest";
    database::execute(&postgres.socket(), role).await;
    let (is_usable, said) = check(&place, &url(&format!("&user=guest&sslcert={certificate}&sslkey={key}"))).await;
    assert!(is_usable, "{said}");
}

#[actix_web::test]
async fn a_running_server_keeps_its_connections_encrypted_and_passes_a_dead_host_by() {
    let Some(_) = database::only_postgres("it starts a PostgreSQL of its own") else { return };
    let Some(postgres) = TlsPostgres::start() else { return };
    let place = Workplace::new("").await;
    let port = postgres.port;
    let root = postgres.file("root.crt");
    place.configure(&settings(&format!(
        "host=db.test,db.test hostaddr=127.0.0.1,127.0.0.1 port=1,{port} user=qd dbname=postgres \
         sslmode=verify-full sslrootcert={root} application_name=encrypted"
    )));
    let server = place.serve().await;
    let (client, connection) = tokio_postgres::connect(&postgres.socket(), NoTls).await.unwrap();
    actix_web::rt::spawn(connection);
    let counted = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl) \
                   FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'encrypted'";
    let row = client.query_one(counted, &[]).await.unwrap();
    let (encrypted, open): (i64, i64) = (row.get(0), row.get(1));
    assert!(encrypted > 0 && open == 0, "{encrypted} {open}");
    assert!(server.stop().await.success());
}
