//! Decides which modules are in which file. The entry is a file, and each target of `import("…")` is one.
//!
//! A module is in the file of the target that needs it. If several need it, and all of them are loaded by one that needs
//! it too, it is in the file of that one, which is there before the others. Otherwise the modules that the same targets
//! need are a file of their own; small ones are in the file of the entry, because a request costs more than their bytes.
//! So each module is in one file, and is evaluated once. The imports between files make no circle, because a file imports
//! only files that at least the same targets need.

use std::collections::{BTreeMap, BTreeSet};

use super::{resolved, statements, target_of, visit};

/// The length up to which modules that several targets need are in the file of the entry.
const SMALL_BYTES: usize = 4096;

/// The modules by the file that they are in.
pub(super) struct Parts<'a> {
    modules: &'a BTreeMap<String, String>,
    entry: &'a str,
    /// All modules that a file needs, each after everything that it imports.
    pub(super) order: Vec<String>,
    /// The name of the file of each of these modules.
    pub(super) files: BTreeMap<String, String>,
    /// The targets that need a module, by module.
    users: BTreeMap<String, BTreeSet<String>>,
    /// The only target that loads a target, by target. The entry is not in it.
    loaders: BTreeMap<String, String>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(modules: &'a BTreeMap<String, String>, entry: &'a str) -> Result<Self, String> {
        let empty = BTreeMap::new;
        let mut parts = Self {
            modules,
            entry,
            order: Vec::new(),
            files: empty(),
            users: BTreeMap::new(),
            loaders: BTreeMap::new(),
        };
        let loads = loads(modules);
        for target in [entry].into_iter().chain(loads.keys().map(String::as_str)) {
            let mut needed = Vec::new();
            visit(modules, target, &mut Vec::new(), &mut needed)?;
            for name in needed {
                parts.users.entry(name).or_default().insert(target.to_owned());
            }
            visit(modules, target, &mut Vec::new(), &mut parts.order)?;
        }
        for (target, callers) in &loads {
            if parts.users(target).any(|user| user == entry) {
                return Err(format!("{target} is loaded later, but {entry} needs it at once"));
            }
            if let Some(loader) = parts.only_loader(target, callers) {
                parts.loaders.insert(target.clone(), loader);
            }
        }
        parts.assign(&loads)?;
        Ok(parts)
    }

    /// Returns the names of the modules that a module imports.
    pub(super) fn imports(&self, name: &str) -> Result<BTreeSet<String>, String> {
        let found = statements(name, self.modules.get(name).map_or("", String::as_str))?;
        Ok(found.iter().filter_map(|statement| target_of(&statement.form)).map(|from| resolved(name, from)).collect())
    }

    /// Returns the targets that need a module.
    fn users(&self, name: &str) -> impl Iterator<Item = &str> + Clone {
        self.users.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Returns the target that is always there before `target`, besides the entry.
    fn only_loader(&self, target: &str, callers: &BTreeSet<String>) -> Option<String> {
        let is_imported = self.users(target).count() > 1;
        let loaders: BTreeSet<&str> = callers.iter().flat_map(|caller| self.users(caller)).collect();
        let loader = *loaders.first()?;
        let is_only = loaders.len() == 1 && !is_imported && loader != target && loader != self.entry;
        is_only.then(|| loader.to_owned())
    }

    /// Returns true if `target` is loaded only after `other`.
    fn is_after(&self, target: &str, other: &str) -> bool {
        let mut at = target;
        // Targets that load only each other would be an endless chain.
        for _ in 0..self.loaders.len() {
            let Some(loader) = self.loaders.get(at) else { break };
            if loader == other {
                return true;
            }
            at = loader;
        }
        other == self.entry && target != self.entry
    }

    /// Returns the targets that need a module, without those that are loaded only after another one of them.
    fn first_users(&self, name: &str) -> BTreeSet<&str> {
        let all = self.users(name);
        let is_later = |user: &&str| all.clone().any(|other| self.is_after(user, other) && !self.is_after(other, user));
        all.clone().filter(|user| !is_later(user)).collect()
    }

    fn assign(&mut self, loads: &BTreeMap<String, BTreeSet<String>>) -> Result<(), String> {
        let is_target = |name: &str| name == self.entry || loads.contains_key(name);
        let mut groups: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for name in &self.order {
            groups.entry(self.first_users(name)).or_default().push(name);
        }
        let length = |name: &&str| self.modules.get(*name).map_or(0, String::len);
        let (mut files, mut small) = (BTreeMap::new(), BTreeSet::new());
        for group in groups.values() {
            let target = group.iter().find(|name| is_target(name));
            let Some(file) = target.or(group.last()) else { continue };
            files.extend(group.iter().map(|name| ((*name).to_owned(), (*file).to_owned())));
            if target.is_none() && group.iter().map(length).sum::<usize>() <= SMALL_BYTES {
                small.extend(group.iter().copied());
            }
        }
        // A module comes after everything that it imports, so one pass is enough.
        for name in self.order.iter().filter(|name| small.contains(name.as_str())) {
            if self.imports(name)?.iter().all(|from| files.get(from).is_some_and(|file| file == self.entry)) {
                files.insert(name.clone(), self.entry.to_owned());
            }
        }
        self.files = files;
        Ok(())
    }
}

/// Returns the targets of `import("…")`, each with the modules that load it.
fn loads(modules: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in modules.iter().filter(|(name, _)| !name.starts_with("vendor/")) {
        for (target, _) in text.split("import(\"").skip(1).filter_map(|call| call.split_once('"')) {
            found.entry(resolved(name, target)).or_default().insert(name.clone());
        }
    }
    found
}
