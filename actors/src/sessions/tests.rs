use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::config::{Config, ConfigSource, ConfigStore, Overrides, Stored, Version};

/// The number of sessions that `Memory` keeps.
const ROOM: usize = 3;

struct Memory {
    sessions: Mutex<Vec<Session>>,
    reads: AtomicUsize,
    panics: AtomicBool,
}

impl SessionStore for Memory {
    fn find(&self, token: Secret) -> BoxFuture<'static, Result<Option<Session>, AppError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let found = self.sessions.lock().unwrap().iter().find(|session| session.token == token).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn add(&self, session: Session, _: Option<Secret>) -> BoxFuture<'static, Result<Option<Added>, AppError>> {
        let mut sessions = self.sessions.lock().unwrap();
        let is_taken = sessions.iter().any(|open| open.token == session.token);
        let mut made_room = Vec::new();
        if !is_taken {
            sessions.push(session.clone());
            let surplus = sessions.len().saturating_sub(ROOM);
            made_room.extend(sessions.drain(..surplus).map(|session| session.token));
        }
        let added = (!is_taken).then_some(Added { session, made_room });
        Box::pin(async { Ok(added) })
    }

    fn remove(&self, which: SessionSelection) -> BoxFuture<'static, Result<(), AppError>> {
        let panics = self.panics.swap(false, Ordering::Relaxed);
        assert!(!panics, "asked to");
        self.sessions.lock().unwrap().retain(|session| !which.means(session));
        Box::pin(async { Ok(()) })
    }

    fn change(&self, change: Change) -> BoxFuture<'static, Result<Change, AppError>> {
        for session in self.sessions.lock().unwrap().iter_mut() {
            if let Change::Roles { user_id, roles } = &change
                && session.user_id == *user_id
            {
                session.roles.clone_from(roles);
            }
        }
        Box::pin(async { Ok(change) })
    }
}

struct NoSource;

impl ConfigSource for NoSource {
    fn load(&self) -> BoxFuture<'static, Result<Overrides, AppError>> {
        Box::pin(async { Err(AppError::new("test.unused")) })
    }
}

impl ConfigStore for NoSource {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        Box::pin(async { Ok(None) })
    }

    fn save(&self, _: Version) -> BoxFuture<'static, Result<(), AppError>> {
        Box::pin(async { Err(AppError::new("test.unused")) })
    }
}

fn session(token: &str, user_id: &str) -> Session {
    Session {
        id: format!("id-{token}"),
        token: Secret::new(token),
        create_at: 1,
        expires_at: 0,
        last_activity_at: 1,
        user_id: user_id.to_owned(),
        device_id: String::new(),
        roles: "system_user".to_owned(),
        is_oauth: false,
        expired_notify: false,
        props: BTreeMap::new(),
    }
}

fn start(stored: &[(&str, &str)], panics: bool) -> (SessionsHandle, Arc<Memory>) {
    let memory = Arc::new(Memory {
        sessions: Mutex::new(stored.iter().map(|(token, user)| session(token, user)).collect()),
        reads: AtomicUsize::new(0),
        panics: AtomicBool::new(panics),
    });
    let config = ConfigHandle::start(Config::from_overrides([]).unwrap(), Arc::new(NoSource), Arc::new(NoSource));
    (SessionsHandle::start(memory.clone(), config, HubHandle::without_hubs(), Trust::default()), memory)
}

impl Memory {
    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

#[actix_rt::test]
async fn a_token_is_read_from_the_store_once_until_its_time_in_the_cache_is_over() {
    let (sessions, memory) = start(&[("a", "anna")], false);
    for now in [0, 1, 9 * MINUTE_MS] {
        assert_eq!(sessions.find("a", Uptime::from_ms(now)).await.unwrap().unwrap().user_id, "anna");
    }
    assert_eq!(memory.reads(), 1);
    sessions.find("a", Uptime::from_ms(10 * MINUTE_MS)).await.unwrap().unwrap();
    assert_eq!(memory.reads(), 2);
}

#[actix_rt::test]
async fn a_session_is_read_and_cached_while_the_actor_is_blocked() {
    let (sessions, memory) = start(&[("a", "anna")], false);
    let _blocked = sessions.vitals().block().await;
    for _ in 0..2 {
        assert_eq!(sessions.find("a", Uptime::default()).await.unwrap().unwrap().user_id, "anna");
    }
    assert_eq!(memory.reads(), 1);
    sessions.invalidate();
    sessions.find("a", Uptime::default()).await.unwrap().unwrap();
    assert_eq!(memory.reads(), 2);
}

#[actix_rt::test]
async fn a_revoked_token_is_dead_when_the_revocation_is_answered() {
    let (sessions, _) = start(&[("a", "anna"), ("b", "anna"), ("c", "carl")], false);
    for token in ["a", "b", "c"] {
        sessions.find(token, Uptime::default()).await.unwrap().unwrap();
    }
    let others = SessionSelection::User { id: "anna".to_owned(), except: Some("id-a".to_owned()) };
    sessions.close(others).await.unwrap();
    assert!(sessions.find("b", Uptime::default()).await.unwrap().is_none());
    assert!(sessions.find("a", Uptime::default()).await.unwrap().is_some());
    assert!(sessions.find("c", Uptime::default()).await.unwrap().is_some());
    sessions.close(SessionSelection::All).await.unwrap();
    assert!(sessions.find("c", Uptime::default()).await.unwrap().is_none());
}

#[actix_rt::test]
async fn what_was_read_before_a_revocation_is_not_cached_after_it() {
    let (sessions, _) = start(&[("a", "anna")], false);
    let epoch = *sessions.shared.epoch();
    let read_before = Arc::new(session("a", "anna"));
    sessions.close(SessionSelection::Id("id-a".to_owned())).await.unwrap();
    sessions.shared.remember(read_before, Uptime::default(), epoch);
    assert!(sessions.find("a", Uptime::default()).await.unwrap().is_none());
}

#[actix_rt::test]
async fn a_change_of_roles_is_seen_at_the_next_use() {
    let (sessions, _) = start(&[("a", "anna")], false);
    sessions.find("a", Uptime::default()).await.unwrap().unwrap();
    let roles = Change::Roles { user_id: "anna".to_owned(), roles: "system_user system_admin".to_owned() };
    sessions.change(roles).await.unwrap();
    assert_eq!(sessions.find("a", Uptime::default()).await.unwrap().unwrap().roles, "system_user system_admin");
}

#[actix_rt::test]
async fn a_crash_keeps_the_cache_and_the_next_message_is_served() {
    let (sessions, memory) = start(&[("a", "anna")], true);
    sessions.find("a", Uptime::default()).await.unwrap().unwrap();
    let lost = sessions.close(SessionSelection::All).await.unwrap_err();
    assert_eq!(lost.id, "app.actor.ended.app_error");
    assert!(sessions.find("a", Uptime::default()).await.unwrap().is_some());
    assert_eq!(memory.reads(), 1);
    sessions.close(SessionSelection::All).await.unwrap();
    assert!(sessions.find("a", Uptime::default()).await.unwrap().is_none());
}

#[actix_rt::test]
async fn the_sessions_of_an_access_token_end_with_it_and_no_others() {
    let (sessions, memory) = start(&[("a", "anna"), ("b", "anna")], false);
    for (session, id) in memory.sessions.lock().unwrap().iter_mut().zip(["token-1", "token-2"]) {
        session.props.insert("type".to_owned(), "UserAccessToken".to_owned());
        session.props.insert("user_access_token_id".to_owned(), id.to_owned());
    }
    for token in ["a", "b"] {
        sessions.find(token, Uptime::default()).await.unwrap().unwrap();
    }
    sessions.close(SessionSelection::AccessToken("token-1".to_owned())).await.unwrap();
    assert!(sessions.find("a", Uptime::default()).await.unwrap().is_none());
    assert!(sessions.find("b", Uptime::default()).await.unwrap().is_some());
}

#[actix_rt::test]
async fn a_device_that_is_attached_ends_the_other_sessions_on_it() {
    let (sessions, memory) = start(&[("a", "anna"), ("b", "anna"), ("c", "carl")], false);
    for session in memory.sessions.lock().unwrap().iter_mut() {
        "apple:1".clone_into(&mut session.device_id);
    }
    let device = SessionSelection::Device {
        user_id: "anna".to_owned(),
        device_id: "apple:1".to_owned(),
        except: Some("id-a".to_owned()),
    };
    sessions.close(device).await.unwrap();
    assert!(sessions.find("a", Uptime::default()).await.unwrap().is_some());
    assert!(sessions.find("b", Uptime::default()).await.unwrap().is_none());
    assert!(sessions.find("c", Uptime::default()).await.unwrap().is_some());
}

#[actix_rt::test]
async fn a_session_that_had_to_make_room_is_dead_and_a_taken_token_opens_nothing() {
    let (sessions, memory) = start(&[("a", "anna"), ("b", "anna"), ("c", "anna")], false);
    sessions.find("a", Uptime::default()).await.unwrap().unwrap();
    sessions.open(session("d", "anna"), None, Uptime::default()).await.unwrap().unwrap();
    assert!(sessions.find("a", Uptime::default()).await.unwrap().is_none());
    assert!(sessions.open(session("d", "carl"), None, Uptime::default()).await.unwrap().is_none());
    assert_eq!(memory.sessions.lock().unwrap().len(), ROOM);
}
