use tokio_postgres::config::{ChannelBinding, Host as DriverHost, SslNegotiation};

use super::*;

const CANARY: &str = "canary";

fn parsed(text: &str) -> DataSource {
    DataSource::parse(text).unwrap_or_else(|refused| panic!("{text}: {refused}"))
}

fn only(text: &str) -> Config {
    let mut connections = parsed(text).connections();
    assert_eq!(connections.len(), 1, "{text}");
    connections.remove(0)
}

fn refusal(text: &str) -> String {
    let refused = DataSource::parse(text).err().unwrap_or_else(|| panic!("{text} is taken")).to_string();
    assert!(!refused.contains(CANARY), "{refused}");
    refused
}

fn password(config: &Config) -> &str {
    std::str::from_utf8(config.get_password().unwrap()).unwrap()
}

#[test]
fn a_data_source_of_mattermost_is_read_as_it_is() {
    let text =
        "postgres://mmuser:mostest@localhost/mattermost_test?sslmode=disable&connect_timeout=10&binary_parameters=yes";
    let config = only(text);
    assert_eq!((config.get_user(), config.get_dbname()), (Some("mmuser"), Some("mattermost_test")));
    assert_eq!(config.get_ssl_mode(), SslMode::Disable);
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(10)));
    assert_eq!(config.get_application_name(), Some("quarterdeck"));
}

#[test]
fn both_forms_say_the_same() {
    let url = only("postgresql://u:p%20w@db:6543/chat?sslmode=require&application_name=a&options=-c%20search_path%3Dx");
    let words = only(
        r"host=db port = 6543 user=u password='p w' dbname=chat sslmode=require application_name=a options='-c search_path=x'",
    );
    assert_eq!(format!("{url:?}"), format!("{words:?}"));
    assert_eq!(password(&url), password(&words));
}

#[test]
fn a_mode_of_tls_is_honoured_in_both_forms_and_prefer_without_one() {
    for (mode, expected) in [
        ("disable", SslMode::Disable),
        ("allow", SslMode::Prefer),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::Require),
        ("verify-full", SslMode::Require),
    ] {
        assert_eq!(only(&format!("host=db sslmode={mode}")).get_ssl_mode(), expected);
        assert_eq!(only(&format!("postgres://db/x?sslmode={mode}")).get_ssl_mode(), expected);
    }
    assert_eq!(only("host=db").get_ssl_mode(), SslMode::Prefer);
    assert!(refusal("postgres://db/x?sslmode=maybe").contains("sslmode must be disable"));
}

#[test]
fn quotes_escapes_and_question_marks_belong_to_the_password() {
    for (text, expected) in [
        (r"host=db password=w?sslmode=disable sslmode=require", "w?sslmode=disable"),
        (r"host=db password='it\'s \\ =' sslmode=require", r"it's \ ="),
        (r"host=db password=a\ b\'c sslmode=require", "a b'c"),
        ("postgres://u:%40%2f%3F%23%25:w@db/x?sslmode=require", "@/?#%:w"),
        ("postgres://db/x?password=p%26w%3D+&sslmode=require", "p&w=+"),
    ] {
        let config = only(text);
        assert_eq!(password(&config), expected, "{text}");
        assert_eq!(config.get_ssl_mode(), SslMode::Require, "{text}");
    }
}

#[test]
fn an_unescaped_character_in_an_address_is_explained_without_the_password() {
    for text in [
        "postgres://u:canary@ss@db/x",
        "postgres://u:canary/@db/x",
        "postgres://u:1?canary@db/x",
        "postgres://u:1?canary=1@db/x",
        "postgres://u:1#canary@db/x",
        "postgres://u:canary#x@db/x",
    ] {
        assert!(refusal(text).contains("in user names, passwords and database names, write @ as %40"), "{text}");
    }
    assert!(refusal("postgres://u:canary%zz@db/x").contains("%25"));
    assert_eq!(only("postgres://db/x?user=a@b").get_user(), Some("a@b"));
}

#[test]
fn no_refusal_and_no_debug_text_holds_the_password() {
    for text in [
        "host=db password=canary1 canary2",
        "host=db password=a canary=b",
        "host=db password='canary",
        "host=db password=canary sslmode=canary",
        "host=db password=canary port=canary",
        "host=db:canary password=canary hostaddr=canary",
        "postgres://u:canary",
        "postgres://u:canary:1/x",
        "postgres://[::1/canary",
        "mysql://u:canary@db/x",
        "host=db canary",
        "postgres://u:canary@db/x?sslmod=require",
        "host=db connect_timeout=canary",
    ] {
        refusal(text);
    }
    let source = parsed("postgres://u:canary@db/chat");
    assert_eq!(format!("{source:?}"), r#"DataSource { place: "db:5432/chat", .. }"#);
    assert!(!format!("{:?}", source.connections()).contains(CANARY));
}

#[test]
fn hosts_ports_and_addresses_go_together() {
    let source = parsed("postgres://one:1,two,[2001:db8::1]:3/chat?load_balance_hosts=random");
    assert_eq!(source.place(), "one:1,two:5432,[2001:db8::1]:3/chat");
    assert!(source.is_random());
    assert_eq!(parsed("host=a,b port=7").place(), "a:7,b:7");
    assert_eq!(parsed("dbname=x").place(), "localhost:5432/x");
    let known = only("host=db hostaddr=127.0.0.1");
    assert_eq!(known.get_hosts(), [DriverHost::Tcp("db".to_owned())]);
    assert_eq!(known.get_hostaddrs(), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(only("hostaddr=::1").get_hosts(), [DriverHost::Tcp("::1".to_owned())]);
    for text in ["host=a,b port=1,2,3", "host=a,b hostaddr=127.0.0.1", "host=a,", "host=db port=0", "postgres://::1/x"]
    {
        refusal(text);
    }
}

#[test]
fn a_unix_socket_has_no_tls() {
    for text in [
        "host=/var/run/postgresql sslmode=verify-full",
        "postgres:///x?host=/var/run/postgresql&sslmode=verify-full",
        "postgres://%2Fvar%2Frun%2Fpostgresql/x?sslmode=verify-full",
    ] {
        let config = only(text);
        assert_eq!(config.get_hosts(), [DriverHost::Unix("/var/run/postgresql".into())]);
        assert_eq!(config.get_ssl_mode(), SslMode::Disable);
    }
    let modes = parsed("host=/tmp,db sslmode=require").connections();
    assert_eq!(modes.iter().map(Config::get_ssl_mode).collect::<Vec<_>>(), [SslMode::Disable, SslMode::Require]);
}

#[test]
fn run_time_parameters_reach_the_database() {
    let config = only(r"host=db search_path='a, b' TimeZone=UTC plugin.key=1 options='-c jit=off'");
    assert_eq!(config.get_options(), Some(r"-c jit=off -c search_path=a,\ b -c timezone=UTC -c plugin.key=1"));
    assert!(refusal("host=db sslmod=require").contains("sslmod is neither a known word"));
    assert!(refusal("host=db sslmod=require").contains("nearest known word is sslmode"));
}

#[test]
fn a_time_limit_of_statements_only_shortens_ours() {
    let limit = |text: &str| parsed(text).statement_limit(Duration::from_secs(10)).as_millis();
    for (text, expected) in [
        ("host=db", 10_000),
        ("host=db statement_timeout=1500", 1_500),
        ("host=db statement_timeout='2 s'", 2_000),
        ("host=db statement_timeout=1min", 10_000),
        ("host=db statement_timeout=0", 10_000),
        ("host=db statement_timeout=1us", 1),
    ] {
        assert_eq!(limit(text), expected, "{text}");
    }
    refusal("host=db statement_timeout=soon");
}

#[test]
fn other_words_are_honoured() {
    let config = only(
        "host=db fallback_application_name=fallback connect_timeout=3 tcp_user_timeout=4000 keepalives=0 keepalives_idle=5 \
         keepalives_interval=6 keepalives_count=7 channel_binding=require target_session_attrs=read-write \
         sslmode=require sslnegotiation=direct",
    );
    assert_eq!(config.get_application_name(), Some("fallback"));
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(4)));
    assert!(!config.get_keepalives());
    assert_eq!(config.get_keepalives_idle(), Duration::from_secs(5));
    assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(6)));
    assert_eq!(config.get_keepalives_retries(), Some(7));
    assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
    assert_eq!(config.get_ssl_negotiation(), SslNegotiation::Direct);
    parsed("host=db client_encoding=UTF8 gssencmode=prefer sslcompression=0 sslsni=0 ssl_min_protocol_version=TLSv1.3");
}

#[test]
fn what_cannot_be_honoured_is_refused_by_its_name() {
    for word in [
        "passfile=x",
        "service=x",
        "krbsrvname=x",
        "require_auth=scram-sha-256",
        "requirepeer=x",
        "sslpassword=x",
        "sslcrl=x",
        "sslkeylogfile=x",
        "client_encoding=LATIN1",
        "gssencmode=require",
        "sslcompression=1",
        "replication=database",
        "target_session_attrs=standby",
        "load_balance_hosts=maybe",
        "sslcertmode=require",
        "ssl_max_protocol_version=TLSv1.1",
        "channel_binding=maybe",
        "fsync=off",
    ] {
        let name = word.split('=').next().unwrap();
        assert!(refusal(&format!("host=db {word}")).contains(name), "{word}");
    }
    for (text, named) in [
        ("host=db sslmode=require sslmode=disable", "sslmode is given twice"),
        ("postgres://db/x?host=other", "host is given twice"),
        ("host=db dbname=a database=b", "database is given twice"),
        ("host=db sslcert=a", "sslkey"),
        ("host=db sslrootcert=a sslmode=prefer", "sslrootcert needs"),
        ("host=db sslrootcert=system sslmode=require", "sslrootcert=system needs"),
        ("host=db sslnegotiation=direct", "sslnegotiation=direct needs"),
        ("host=db ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", "ssl_min_protocol_version"),
    ] {
        assert!(refusal(text).contains(named), "{text}: {}", refusal(text));
    }
}

#[test]
fn certificates_are_read_at_once_and_a_missing_one_is_named() {
    let roots = |text: &str| parsed(text).encryption().client_config().map(drop);
    for text in ["host=db sslrootcert=/none/root.crt", "host=db sslmode=require sslrootcert=/none/root.crt"] {
        let refused = roots(text).unwrap_err();
        assert!(refused.starts_with("sslrootcert: /none/root.crt: "), "{refused}");
    }
    assert_eq!(roots("host=db sslmode=disable sslrootcert=/none/root.crt"), Ok(()));
}
