//! Links the modules that are loaded later: each target of `import("…")`, with the modules that only it needs, becomes one
//! file. Modules that several targets need stay files of their own, so that each exists once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{Form, TABLE, replaced, resolved, statements, taken, visit, with_shared, wrapped};

/// The name of the table of the other modules in such a file.
const OWN: &str = "$own";

/// The modules as they are linked.
struct Parts<'a> {
    modules: &'a BTreeMap<String, String>,
    entry: &'a str,
    shared: &'a BTreeSet<&'a str>,
    /// The modules of each target, after everything that they import. The target is the last one.
    targets: BTreeMap<String, Vec<String>>,
}

/// Returns the files besides the entry.
pub(super) fn linked(
    modules: &BTreeMap<String, String>,
    entry: &str,
    shared: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, String> {
    let mut parts = Parts { modules, entry, shared, targets: BTreeMap::new() };
    for target in loaded_later(modules) {
        let mut order: Vec<String> = shared.iter().map(|name| (*name).to_owned()).collect();
        visit(modules, &target, &mut Vec::new(), &mut order)?;
        parts.targets.insert(target, order.split_off(shared.len()));
    }
    let mut files = BTreeMap::new();
    for (target, order) in &parts.targets {
        files.insert(target.clone(), parts.file(target, order)?);
        for name in order.iter().filter(|name| parts.is_apart(name, target)) {
            files.insert(name.clone(), with_shared(name, parts.text(name), shared, entry)?);
        }
    }
    Ok(files)
}

/// Returns the targets of `import("…")`.
fn loaded_later(modules: &BTreeMap<String, String>) -> BTreeSet<String> {
    let targets = |(name, text): (&String, &String)| -> Vec<String> {
        let calls = text.split("import(\"").skip(1).filter_map(|call| call.split_once('"'));
        calls.map(|(target, _)| resolved(name, target)).collect()
    };
    modules.iter().filter(|(name, _)| !name.starts_with("vendor/")).flat_map(targets).collect()
}

impl Parts<'_> {
    fn text(&self, name: &str) -> &str {
        self.modules.get(name).map_or("", String::as_str)
    }

    /// Returns true if a module that `target` needs is a file of its own.
    fn is_apart(&self, name: &str, target: &str) -> bool {
        let users = self.targets.values().filter(|order| order.iter().any(|other| other == name)).count();
        name != target && (users > 1 || self.targets.contains_key(name))
    }

    fn table(&self, name: &str) -> &'static str {
        if self.shared.contains(name) { TABLE } else { OWN }
    }

    /// Returns the file of a target.
    fn file(&self, target: &str, order: &[String]) -> Result<String, String> {
        let up = "../".repeat(target.matches('/').count());
        let up = if up.is_empty() { "./" } else { &up };
        let mut file = format!("import {{ {TABLE} }} from \"{up}{}\";\n", self.entry);
        let others = || order.iter().filter(|name| *name != target);
        for (number, name) in others().filter(|name| self.is_apart(name, target)).enumerate() {
            let _ = writeln!(file, "import * as $m{number} from \"{up}{name}\";");
        }
        let _ = writeln!(file, "const {OWN} = {{}};");
        for (number, name) in others().filter(|name| self.is_apart(name, target)).enumerate() {
            let _ = writeln!(file, "{OWN}[{name:?}] = $m{number};");
        }
        for name in others().filter(|name| !self.is_apart(name, target)) {
            let text = self.text(name);
            if text.contains("import(\"") && name.matches('/').count() != target.matches('/').count() {
                return Err(format!("{name} loads a module, and must be in a folder beside that of {target}"));
            }
            let body = wrapped(name, text, &|from| self.table(from))?;
            let _ = writeln!(file, "{OWN}[{name:?}] = (() => {{\n{body}\n}})();");
        }
        let text = self.text(target);
        let found = statements(target, text)?;
        if found.iter().any(|statement| matches!(statement.form, Form::ExportList { target: Some(_), .. })) {
            return Err(format!(
                "{target} exports names of another module, which a module that is loaded later must not"
            ));
        }
        file.push_str(&replaced(text, found, |form| match form {
            Form::Import { clause, target: from } => {
                let from = resolved(target, from);
                Some(taken(clause, &from, self.table(&from)))
            }
            Form::ExportList { .. } | Form::ExportDeclaration { .. } | Form::ExportDefault => None,
        }));
        Ok(file)
    }
}
