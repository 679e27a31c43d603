//! The imports of a package, as its files write them. A re-exported name counts for the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

/// A module by the parts of its path; the face of a room stands for the room.
pub type Module = Vec<String>;

/// Returns the module of a file, whose path is given without its ending.
pub fn module_of(mut parts: Vec<String>) -> Module {
    let is_face = parts.len() == 2 && parts.last().is_some_and(|last| last == "room");
    if is_face {
        parts.pop();
    }
    parts
}

/// The imports between the files.
pub struct Imports {
    edges: BTreeMap<Module, BTreeSet<Module>>,
    /// The re-exports. A face re-exports its own files, so they form no circles.
    reexports: BTreeMap<Module, BTreeSet<Module>>,
}

/// A name that a file imports, and the path that it stands for.
struct Use {
    path: Module,
    name: String,
    is_reexported: bool,
}

impl Imports {
    /// Reads the files of a package. Comments, texts and modules of tests are ignored.
    pub fn of(files: &[(Module, String)]) -> Self {
        let modules: BTreeSet<&Module> = files.iter().map(|(module, _)| module).collect();
        let codes: BTreeMap<&Module, String> = files.iter().map(|(module, text)| (module, code(text))).collect();
        let uses: BTreeMap<&Module, Vec<Use>> =
            codes.iter().map(|(module, code)| (*module, uses(code, module, &modules))).collect();
        let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        let mut reexports: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, code) in codes.iter().filter(|(module, _)| module.last().is_none_or(|last| last != "tests")) {
            let own = uses.get(module).map(Vec::as_slice).unwrap_or_default();
            let mut paths: Vec<Module> =
                own.iter().filter(|used| !used.is_reexported).map(|used| used.path.clone()).collect();
            paths.extend(inline_paths(&without_uses(code)).into_iter().filter_map(|path| {
                let imported = own.iter().find(|used| path.first() == Some(&used.name));
                let through = |used: &Use| [used.path.as_slice(), &path[1..]].concat();
                absolute(&path, module, &modules).or_else(|| imported.map(through))
            }));
            let targets = paths.iter().filter_map(|path| resolve(path, &modules, &uses, 0));
            let others = targets.filter(|target| target != *module).collect();
            edges.insert((*module).clone(), others);
            let reexported = own.iter().filter(|used| used.is_reexported);
            let targets = reexported.filter_map(|used| resolve(&used.path, &modules, &uses, 0));
            reexports.insert((*module).clone(), targets.collect());
        }
        Self { edges, reexports }
    }

    /// Returns every pair of a file and a file that it imports or re-exports from.
    pub fn pairs(&self) -> Vec<(&Module, &Module)> {
        let all = self.edges.iter().chain(&self.reexports);
        all.flat_map(|(from, targets)| targets.iter().map(move |to| (from, to))).collect()
    }

    /// Returns the groups of files that import each other, directly or indirectly.
    pub fn circles(&self) -> Vec<Vec<&Module>> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            self.edges.keys().map(|from| (from, self.reached_from(from))).collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for (from, targets) in &reached {
            let is_mutual = |other: &&&Module| reached.get(**other).is_some_and(|back| back.contains(from));
            let circle: Vec<&Module> = targets.iter().filter(is_mutual).copied().collect();
            if !circle.is_empty() && circle.iter().all(|module| seen.insert(*module)) {
                circles.push(circle);
            }
        }
        circles
    }

    fn reached_from<'a>(&'a self, from: &'a Module) -> BTreeSet<&'a Module> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![from];
        while let Some(module) = waiting.pop() {
            let next = self.edges.get(module).into_iter().flatten().filter(|target| reached.insert(*target));
            waiting.extend(next.collect::<Vec<_>>());
        }
        reached
    }
}

/// Returns the text without comments, string literals and modules of tests.
fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut code = String::new();
    for line in shipped.lines() {
        let line = line.split("//").next().unwrap_or_default();
        for (at, part) in line.split('"').enumerate() {
            if at % 2 == 0 {
                code.push_str(part);
            }
        }
        code.push('\n');
    }
    // The path in a visibility is not an import.
    let mut parts = code.split("pub(in ");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once(')').map_or(part, |(_, rest)| rest));
    std::iter::once(first.as_str()).chain(rest).collect::<Vec<_>>().join("pub(crate)")
}

/// Returns the imports of the `use` statements of a file, one for each name.
fn uses(code: &str, module: &Module, modules: &BTreeSet<&Module>) -> Vec<Use> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].lines().last().unwrap_or_default().trim();
        let is_statement = code[..at].ends_with([' ', '\n']) || at == 0;
        let is_visible = before.starts_with("pub") && before.ends_with([')', 'b']);
        if !is_statement || !(before.is_empty() || is_visible) {
            continue;
        }
        let tree = code[at + 4..].split(';').next().unwrap_or_default();
        for (path, name) in names(&[], tree) {
            if let Some(path) = absolute(&path, module, modules) {
                found.push(Use { path, name, is_reexported: is_visible });
            }
        }
    }
    found
}

/// Returns the paths of a use tree, each with the name that it gets.
fn names(prefix: &[String], tree: &str) -> Vec<(Module, String)> {
    let tree = tree.trim();
    let brace = tree.find('{');
    let (path, group) = match brace {
        Some(at) => (&tree[..at], Some(tree[at + 1..].trim_end().trim_end_matches('}'))),
        None => (tree, None),
    };
    let parts = path.split("::").map(str::trim).filter(|part| !part.is_empty());
    let mut whole: Module = prefix.iter().cloned().chain(parts.map(str::to_owned)).collect();
    let Some(group) = group else {
        let last = whole.pop().unwrap_or_default();
        let (name, alias) = last.split_once(" as ").unwrap_or((&last, &last));
        if name != "self" {
            whole.push(name.to_owned());
        }
        let alias = if alias == "self" { whole.last().cloned().unwrap_or_default() } else { alias.to_owned() };
        return vec![(whole, alias)];
    };
    parts_of(group).iter().filter(|part| !part.trim().is_empty()).flat_map(|part| names(&whole, part)).collect()
}

/// Returns the members of a group, split at the commas outside of inner groups.
fn parts_of(group: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_i32;
    for letter in group.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if letter == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

/// Returns the code without its `use` statements.
fn without_uses(code: &str) -> String {
    let mut rest = String::new();
    let mut is_in_use = false;
    for line in code.lines() {
        let statement = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        is_in_use |= statement.trim_start_matches("pub ").starts_with("use ");
        if !is_in_use {
            rest.push_str(line);
            rest.push('\n');
        }
        is_in_use &= !line.contains(';');
    }
    rest
}

/// Returns the paths of two or more names in the code itself.
fn inline_paths(code: &str) -> Vec<Module> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = code.split(|letter: char| !is_part(letter)).filter(|word| word.contains("::"));
    let path = |word: &str| word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Module>();
    words.filter(|word| !word.starts_with("::")).map(path).filter(|path| !path.is_empty()).collect()
}

/// Returns the path from the root of the package; `None` for a path of another package.
fn absolute(path: &[String], module: &Module, modules: &BTreeSet<&Module>) -> Option<Module> {
    let first = path.first()?.as_str();
    match first {
        "crate" => Some(path[1..].to_vec()),
        "super" | "self" => {
            let ups = path.iter().take_while(|part| *part == "super" || *part == "self").count();
            let height = path.iter().take(ups).filter(|part| *part == "super").count();
            let base = module.len().checked_sub(height)?;
            Some([&module[..base], &path[ups..]].concat())
        }
        child => {
            let own = [module.as_slice(), &[child.to_owned()]].concat();
            modules.contains(&own).then(|| [module.as_slice(), path].concat())
        }
    }
}

/// Returns the file that defines the item of a path. Re-exports are followed.
fn resolve(
    path: &[String],
    modules: &BTreeSet<&Module>,
    uses: &BTreeMap<&Module, Vec<Use>>,
    depth: usize,
) -> Option<Module> {
    const MAX_DEPTH: usize = 10;
    let known = |length: &usize| modules.contains(&path[..*length].to_vec());
    let length = (1..=path.len()).rev().find(known)?;
    let module = path[..length].to_vec();
    let names = uses.get(&module).map(Vec::as_slice).unwrap_or_default();
    let reexported = names.iter().find(|used| used.is_reexported && path.get(length) == Some(&used.name));
    match reexported.filter(|_| depth < MAX_DEPTH) {
        Some(found) => resolve(&[found.path.as_slice(), &path[length + 1..]].concat(), modules, uses, depth + 1),
        None => Some(module),
    }
}
