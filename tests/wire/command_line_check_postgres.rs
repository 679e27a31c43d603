//! `quarterdeck check` on a PostgreSQL in which a start cannot create tables.

use crate::support::cluster::Cluster;
use crate::support::database::execute;
use crate::support::process::Workplace;

/// Returns the settings for a data source.
fn settings(source: &str) -> String {
    format!("[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{source}\"\n")
}

/// Runs a check and a start, which must fail, and returns what the check says.
async fn refused(source: &str) -> String {
    let place = Workplace::new(&settings(source)).await;
    let [check, start] = [place.run(&["check"], "").await, place.run(&["serve"], "").await];
    let [said, also] = [check, start].map(|output| {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    });
    assert!(said.lines().all(|line| also.contains(line)), "{said} {also}");
    said
}

#[actix_web::test]
async fn a_role_without_the_privilege_to_create_tables_is_named_with_the_grant() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let address = cluster.address();
    execute(&address, "CREATE SCHEMA chat; CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA chat TO clerk").await;
    let of_clerk = format!("{}?sslmode=disable&options=-c%20search_path%3D", address.replace("qd@", "clerk@"));
    let said = refused(&format!("{of_clerk}chat")).await;
    assert!(said.contains("the role clerk may not create tables in the schema chat"), "{said}");
    assert!(said.contains("GRANT CREATE ON SCHEMA chat TO clerk"), "{said}");
    let said = refused(&format!("{of_clerk}absent")).await;
    assert!(said.contains("none of the schemas in the search_path of the role clerk exists"), "{said}");
    execute(&address, "GRANT CREATE ON SCHEMA chat TO clerk").await;
    let place = Workplace::new(&settings(&format!("{of_clerk}chat"))).await;
    let check = place.run(&["check"], "").await;
    assert!(check.status.success(), "{check:?}");
    assert!(place.serve().await.stop().await.success());
    // A start needs the privilege although nothing is pending.
    execute(&address, "REVOKE CREATE ON SCHEMA chat FROM clerk").await;
    let said = refused(&format!("{of_clerk}chat")).await;
    assert!(said.contains("GRANT CREATE ON SCHEMA chat TO clerk"), "{said}");
}

#[actix_web::test]
async fn a_database_that_takes_no_writes_is_refused() {
    let Some(primary) = Cluster::start(&[]) else { return };
    let standby = primary.standby();
    let closed = format!("{}?options=-c%20default_transaction_read_only%3Don&sslmode=disable", primary.address());
    for source in [format!("{}?sslmode=disable", standby.address()), closed] {
        let said = refused(&source).await;
        assert!(said.contains("the database is read-only; it may be a standby"), "{source}: {said}");
    }
}
