//! The work of PostgreSQL for searches and reports among many accounts, beyond those that a search reads first.

use serde_json::json;

use crate::support::waiting::until;
use crate::support::{Client, TestServer, database};

const ACCOUNTS: i64 = 12_000;

/// The number of accounts that a search reads first, for words that many accounts have.
const READ_FIRST: i64 = 8_000;

/// The largest number of rows that a search of the index reads here, or a page of a report, with what belongs to its
/// accounts.
const FEW: i64 = 400;

const INDEXES: [&str; 4] =
    ["idx_qd_user_names_columns", "idx_qd_user_names_everything", "idx_qd_user_names_grams", "qd_user_names_pkey"];

/// Returns the counts of PostgreSQL for a table: scans of the whole table, scans of its indexes, rows read by either.
async fn counted(base: &str, schema: &str, table: &str) -> [i64; 3] {
    let sql = format!(
        "SELECT t.seq_scan || ' ' || (SELECT SUM(i.idx_scan) FROM pg_stat_user_indexes i WHERE i.relid = t.relid) \
         || ' ' || t.seq_tup_read + GREATEST(COALESCE(t.idx_tup_fetch, 0), \
         (SELECT SUM(i.idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)) \
         FROM pg_stat_user_tables t WHERE t.schemaname = '{schema}' AND t.relname = '{table}'"
    );
    let rows = database::texts(base, &sql).await;
    let numbers: Vec<i64> = rows[0].split(' ').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Runs `work` and returns what PostgreSQL counted for the table meanwhile, once it has counted `scans` index scans.
async fn counting(base: &str, schema: &str, table: &str, scans: i64, work: impl AsyncFn()) -> [i64; 3] {
    let before = counted(base, schema, table).await;
    work().await;
    // A connection of PostgreSQL tells its counts a second or more after its last statement.
    until("the counts of PostgreSQL", async || counted(base, schema, table).await[1] - before[1] >= scans).await;
    let after = counted(base, schema, table).await;
    [after[0] - before[0], after[1] - before[1], after[2] - before[2]]
}

/// Returns a second server on a database with many accounts, which has compared all of them.
async fn with_many_accounts(base: &str) -> (String, [TestServer; 2], Client) {
    let first = TestServer::start().await;
    let admin = first.admin().await;
    let settings = std::fs::read_to_string(first.folder().join("config.toml")).unwrap();
    let schema = settings.split("search_path%3D").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let rows = format!(
        "INSERT INTO users (id, username, email, nickname, firstname, lastname, roles, createat, updateat, deleteat) \
         SELECT 'id' || i, 'u' || i, 'u' || i || '@chat.example', '', 'Anna', \
         CASE WHEN i % 1000 = 999 THEN 'ßq' ELSE 'Abc' END, 'system_user', i, 1, 0 \
         FROM generate_series({ACCOUNTS}, {}) AS list(i)",
        2 * ACCOUNTS - 1
    );
    first.execute(&rows).await;
    // The form of the names in an earlier version, which the start of the second server replaces.
    first.execute("DROP INDEX idx_qd_user_names_everything, idx_qd_user_names_columns").await;
    first.execute("CREATE INDEX idx_qd_user_names_username ON qd_user_names (username)").await;
    let second = first.start_beside("").await;
    let sql = "SELECT indexname FROM pg_indexes WHERE tablename = 'qd_user_names' AND schemaname =";
    let indexes = database::texts(base, &format!("{sql} '{schema}' ORDER BY indexname")).await;
    assert_eq!(indexes, INDEXES.map(str::to_owned));
    let admin = second.client().with_token(admin.token.as_deref().unwrap());
    // The database delays each answer, so that looking does not take the time of the comparison.
    let stored = format!("SELECT COUNT(*) FROM {schema}.qd_user_names, (SELECT pg_sleep(0.2)) AS delay");
    let all = (ACCOUNTS + 1).to_string();
    until("all names are stored", async || database::texts(base, &stored).await == [all.as_str()]).await;
    for table in ["users", "qd_user_names"] {
        database::execute(base, &format!("VACUUM ANALYZE {schema}.{table}")).await;
    }
    // The comparison reads each account, and again to correct it. Its counts must not come later: idle connections of
    // PostgreSQL tell theirs after 10 s.
    until("the counts of the comparison", async || counted(base, &schema, "users").await[2] >= 2 * ACCOUNTS).await;
    database::texts(base, "SELECT pg_sleep(12)").await;
    (schema, [first, second], admin)
}

#[actix_web::test]
async fn searches_and_reports_read_a_bounded_number_of_rows_and_never_a_whole_table() {
    let Some(base) = database::only_postgres("the counts of tables and indexes") else { return };
    let (schema, _servers, admin) = with_many_accounts(&base).await;
    search((&base, &schema), &admin).await;
    report((&base, &schema), &admin).await;
}

async fn search((base, schema): (&str, &str), admin: &Client) {
    let terms = [
        ("anna", 100, READ_FIRST),
        ("ßq", 12, FEW),
        ("q", 12, FEW),
        ("жж", 0, FEW),
        ("u23998", 1, FEW),
        ("u23998@chat", 1, FEW),
        ("жabc", 0, FEW),
    ];
    let work = async || {
        for (term, found, _) in terms {
            let list = admin.post("/users/search", json!({ "term": term })).await.expect(200);
            assert_eq!(list.as_array().unwrap().len(), found, "{term}");
        }
    };
    let [scans, _, rows] = counting(base, schema, "qd_user_names", 7, work).await;
    let bound: i64 = terms.iter().map(|(.., bound)| bound).sum();
    assert!(bound < ACCOUNTS && scans == 0 && rows <= bound, "{scans} scans, {rows} rows of at most {bound}");
}

/// A page in each order, and of the accounts with a name.
async fn report((base, schema): (&str, &str), admin: &Client) {
    let orders = [
        ("CreateAt", "create_at"),
        ("Username", "username"),
        ("FirstName", "first_name"),
        ("LastName", "last_name"),
        ("Nickname", "nickname"),
        ("Email", "email"),
        ("Roles", "roles"),
    ];
    let paged = async || {
        for (column, key) in orders {
            for direction in ["asc", "desc"] {
                let path = format!("/reports/users?page_size=50&sort_column={column}&sort_direction={direction}");
                let page = admin.get(&path).await.expect(200);
                let last = page.as_array().unwrap().last().unwrap();
                let value = last[key].as_str().map_or_else(|| last[key].to_string(), str::to_owned);
                let next = format!("{path}&from_id={}&direction=next", last["id"].as_str().unwrap());
                let page = admin.get(&format!("{next}&from_column_value={value}")).await.expect(200);
                assert_eq!(page.as_array().unwrap().len(), 50, "{column} {direction}");
            }
        }
    };
    let [scans, _, rows] = counting(base, schema, "users", 28, paged).await;
    assert!(scans == 0 && rows <= 28 * FEW, "{scans} scans, {rows} rows");
    // The accounts with a rare word, and a page in each order of those with a word that nearly all have.
    let searched = async || {
        let page = admin.get("/reports/users?page_size=50&search_term=ßq").await.expect(200);
        assert_eq!(page.as_array().unwrap().len(), 12);
        for (column, _) in orders {
            for direction in ["asc", "desc"] {
                let order = format!("sort_column={column}&sort_direction={direction}");
                let page = admin.get(&format!("/reports/users?page_size=50&search_term=abc&{order}")).await.expect(200);
                assert_eq!(page.as_array().unwrap().len(), 50, "{column} {direction}");
            }
        }
    };
    let names = async || {
        let [scans, _, rows] = counting(base, schema, "users", 15, searched).await;
        assert!(scans == 0 && rows <= 15 * FEW, "{scans} scans, {rows} rows");
    };
    let [scans, _, rows] = counting(base, schema, "qd_user_names", 1, names).await;
    assert!(scans == 0 && rows <= FEW, "{scans} scans, {rows} rows of names");
}
