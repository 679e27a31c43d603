//! Links the modules of the console into few files, so that browsers need few requests. `parts` decides which modules are
//! in which file.
//!
//! Each module becomes a function whose result has its exports, called once, in the order of the imports. A file has a
//! table of its modules, and takes those of other files from theirs. Comments are left out.
//!
//! The statements must be static: `import { a, b as c } from "./x.js"`, also with `* as` or a default; `export` in front
//! of a function, a constant or a class; `export { a as b }`, also with `from`. Circles are refused.

mod comments;
mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use parts::Parts;

/// The name of the table of modules in a file.
pub(super) const TABLE: &str = "$modules";

/// An import or export statement of a module.
#[derive(Debug, PartialEq, Eq)]
struct Statement<'a> {
    start: usize,
    end: usize,
    form: Form<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Form<'a> {
    /// `import CLAUSE from "TARGET"`; the clause is empty for an import without names.
    Import { clause: &'a str, target: &'a str },
    /// `export { NAMES }`, with or without `from "TARGET"`.
    ExportList { names: &'a str, target: Option<&'a str> },
    /// `export` in front of a declaration of this name. The span covers only the word.
    ExportDeclaration { name: &'a str },
    /// `export default`. The span covers only the words.
    ExportDefault,
}

/// Returns the files that browsers get, by name.
pub(super) fn linked(modules: &BTreeMap<String, String>, entry: &str) -> Result<BTreeMap<String, String>, String> {
    let without_comments = |(name, text): (&String, &String)| {
        let text = if name.starts_with("vendor/") { text.clone() } else { comments::stripped(text) };
        (name.clone(), text)
    };
    let modules: &BTreeMap<String, String> = &modules.iter().map(without_comments).collect();
    let parts = Parts::new(modules, entry)?;
    let names: BTreeSet<&String> = parts.files.values().collect();
    names.into_iter().map(|file| Ok((file.clone(), file_of(&parts, modules, file)?))).collect()
}

/// Returns a file: tables of other files, its own modules, and the exports of the module that it is named after.
fn file_of(parts: &Parts<'_>, modules: &BTreeMap<String, String>, file: &str) -> Result<String, String> {
    let is_own = |name: &&String| parts.files.get(*name).is_some_and(|other| other == file);
    let own: Vec<&String> = parts.order.iter().filter(is_own).collect();
    let mut tables: BTreeMap<&str, String> = BTreeMap::from([(file, TABLE.to_owned())]);
    let mut text = String::new();
    for name in &own {
        for from in parts.imports(name)? {
            let Some(other) = parts.files.get(&from).filter(|other| !tables.contains_key(other.as_str())) else {
                continue;
            };
            let table = format!("{TABLE}{}", tables.len());
            let _ = writeln!(text, "import {{ {TABLE} as {table} }} from \"{}\";", relative(file, other));
            tables.insert(other, table);
        }
    }
    let table =
        |name: &str| parts.files.get(name).and_then(|file| tables.get(file.as_str())).map_or(TABLE, String::as_str);
    let _ = writeln!(text, "const {TABLE} = {{}};");
    let mut exports = Vec::new();
    for name in own {
        let module = modules.get(name).map_or("", String::as_str);
        let wrapped = wrapped(name, &with_loads(name, module, file), &table)?;
        let _ = writeln!(
            text,
            "{TABLE}[{name:?}] = (() => {{\n{}\nreturn {{ {} }};\n}})();",
            wrapped.body,
            wrapped.pairs()
        );
        if name == file {
            exports = wrapped.exports;
        }
    }
    if exports.is_empty() {
        let _ = writeln!(text, "export {{ {TABLE} }};");
        return Ok(text);
    }
    let taken: Vec<String> =
        exports.iter().enumerate().map(|(number, (name, _))| format!("{name}: $e{number}")).collect();
    let given = exports.iter().enumerate().map(|(number, (name, _))| format!(", $e{number} as {name}"));
    let _ = writeln!(text, "const {{ {} }} = {TABLE}[{file:?}];", taken.join(", "));
    let _ = writeln!(text, "export {{ {TABLE}{} }};", given.collect::<String>());
    Ok(text)
}

/// Returns a module whose addresses in `import("…")` are relative to the file that it becomes a part of.
fn with_loads(name: &str, text: &str, file: &str) -> String {
    if name.starts_with("vendor/") {
        return text.to_owned();
    }
    let mut parts = text.split("import(\"");
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (target, rest) = part.split_once('"').unwrap_or_default();
        let _ = write!(moved, "import(\"{}\"{rest}", relative(file, &resolved(name, target)));
    }
    moved
}

/// Returns the address of a file in another one.
fn relative(file: &str, other: &str) -> String {
    let up = "../".repeat(file.matches('/').count());
    format!("{}{other}", if up.is_empty() { "./" } else { &up })
}

/// Adds a module to `order`, after everything that it imports.
fn visit(
    modules: &BTreeMap<String, String>,
    name: &str,
    path: &mut Vec<String>,
    order: &mut Vec<String>,
) -> Result<(), String> {
    if order.iter().any(|done| done == name) {
        return Ok(());
    }
    if path.iter().any(|open| open == name) {
        return Err(format!("{} imports itself: {}", name, path.join(" -> ")));
    }
    let importer = path.last().cloned().unwrap_or_default();
    let text = modules.get(name).ok_or_else(|| format!("{importer} imports {name}, which does not exist"))?;
    path.push(name.to_owned());
    for statement in statements(name, text)? {
        if let Some(target) = target_of(&statement.form) {
            visit(modules, &resolved(name, target), path, order)?;
        }
    }
    path.pop();
    order.push(name.to_owned());
    Ok(())
}

fn target_of<'a>(form: &Form<'a>) -> Option<&'a str> {
    match form {
        Form::Import { target, .. } => Some(target),
        Form::ExportList { target, .. } => *target,
        Form::ExportDeclaration { .. } | Form::ExportDefault => None,
    }
}

/// A module as a function without its last statement, which returns the exports.
struct Wrapped {
    body: String,
    /// The exports: their names and expressions.
    exports: Vec<(String, String)>,
}

impl Wrapped {
    fn pairs(&self) -> String {
        let pair =
            |(name, value): &(String, String)| if name == value { name.clone() } else { format!("{name}: {value}") };
        self.exports.iter().map(pair).collect::<Vec<_>>().join(", ")
    }
}

/// `table` returns the name of the table with a module.
fn wrapped<'t>(name: &str, text: &str, table: &dyn Fn(&str) -> &'t str) -> Result<Wrapped, String> {
    let mut exports: Vec<(String, String)> = Vec::new();
    let body = replaced(text, statements(name, text)?, |form| match form {
        Form::Import { clause, target } => {
            let from = resolved(name, target);
            taken(clause, &from, table(&from))
        }
        Form::ExportList { names, target: None } => {
            exports.extend(pairs(names).map(|(local, outer)| (outer.to_owned(), local.to_owned())));
            String::new()
        }
        Form::ExportList { names, target: Some(target) } => {
            let from = resolved(name, target);
            let table = table(&from);
            exports.extend(pairs(names).map(|(local, outer)| (outer.to_owned(), format!("{table}[{from:?}].{local}"))));
            String::new()
        }
        Form::ExportDeclaration { name } => {
            exports.push(((*name).to_owned(), (*name).to_owned()));
            String::new()
        }
        Form::ExportDefault => {
            exports.push(("default".to_owned(), "$default".to_owned()));
            "const $default = ".to_owned()
        }
    });
    Ok(Wrapped { body, exports })
}

/// Returns the statement that takes names from a module in a table.
fn taken(clause: &str, from: &str, table: &str) -> String {
    if let Some(names) = clause.strip_prefix('{') {
        let name =
            |(theirs, ours): (&str, &str)| if theirs == ours { ours.to_owned() } else { format!("{theirs}: {ours}") };
        let names: Vec<String> = pairs(names.trim_end_matches('}')).map(name).collect();
        return format!("const {{ {} }} = {table}[{from:?}];", names.join(", "));
    }
    if let Some(name) = clause.strip_prefix("* as ") {
        return format!("const {name} = {table}[{from:?}];");
    }
    if clause.is_empty() { String::new() } else { format!("const {clause} = {table}[{from:?}].default;") }
}

/// Returns the names of a list `a, b as c`, as pairs of the first and the second name.
fn pairs(names: &str) -> impl Iterator<Item = (&str, &str)> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.split_once(" as ").map_or((name, name), |(first, second)| (first.trim(), second.trim())))
}

fn replaced<'a>(
    text: &'a str,
    statements: Vec<Statement<'a>>,
    mut replacement: impl FnMut(&Form<'a>) -> String,
) -> String {
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for Statement { start, end, form } in statements {
        result.push_str(text.get(from..start).unwrap_or_default());
        result.push_str(&replacement(&form));
        from = end;
    }
    result.push_str(text.get(from..).unwrap_or_default());
    result
}

/// Returns the name of the module that `target` means in the module `name`.
fn resolved(name: &str, target: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// Finds the import and export statements of a module. They begin a line or follow a statement.
fn statements<'a>(name: &str, text: &'a str) -> Result<Vec<Statement<'a>>, String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| rest.find("port").map(|index| at + index)) {
        at = next + 4;
        let start = next.saturating_sub(2);
        let is_begun = start == 0 || text.get(..start).is_some_and(|before| before.ends_with(['\n', ';', '}']));
        let after = text.get(at..).unwrap_or_default();
        if !is_begun || !after.starts_with(['{', ' ', '*', '"']) {
            continue;
        }
        let form = match text.get(start..next) {
            Some("im") => import(after),
            Some("ex") => export(after),
            _ => continue,
        };
        let (form, taken) = form.ok_or_else(|| format!("{name}: a statement is not understood: {}", line_of(after)))?;
        found.push(Statement { start, end: at + taken, form });
        at += taken;
    }
    Ok(found)
}

fn line_of(text: &str) -> &str {
    text.lines().next().and_then(|line| line.get(..line.len().min(80))).unwrap_or_default()
}

/// Reads the rest of an import statement, with its length.
fn import(rest: &str) -> Option<(Form<'_>, usize)> {
    let open = rest.find('"')?;
    let clause = rest.get(..open)?.trim();
    let clause = clause.strip_suffix("from").unwrap_or(clause).trim();
    let (target, end) = quoted(rest, open)?;
    Some((Form::Import { clause, target }, end))
}

/// Reads the rest of an export statement, with the length of the part that is replaced.
fn export(rest: &str) -> Option<(Form<'_>, usize)> {
    let trimmed = rest.trim_start();
    if trimmed.starts_with('{') {
        let (open, close) = (rest.find('{')?, rest.find('}')?);
        let names = rest.get(open + 1..close)?;
        let after = rest.get(close + 1..)?;
        let from = after.trim_start().starts_with("from").then(|| after.find('"')).flatten();
        let Some(quote) = from else {
            let end = close + 1 + usize::from(after.starts_with(';'));
            return Some((Form::ExportList { names, target: None }, end));
        };
        let (target, end) = quoted(rest, close + 1 + quote)?;
        return Some((Form::ExportList { names, target: Some(target) }, end));
    }
    let space = rest.len() - trimmed.len();
    if trimmed.starts_with("default ") {
        return Some((Form::ExportDefault, space + "default ".len()));
    }
    let declared = trimmed.strip_prefix("async ").unwrap_or(trimmed);
    let kinds = ["function* ", "function ", "const ", "class "];
    let declared = kinds.iter().find_map(|kind| declared.strip_prefix(kind))?;
    let end = declared.find(|character: char| !character.is_alphanumeric() && !"_$".contains(character))?;
    Some((Form::ExportDeclaration { name: declared.get(..end)? }, space))
}

/// Returns the text between the quote at `open` and the next one, and the end of the statement.
fn quoted(rest: &str, open: usize) -> Option<(&str, usize)> {
    let inner = rest.get(open + 1..)?;
    let close = inner.find('"')?;
    let end = open + 1 + close + 1;
    let has_semicolon = rest.get(end..).is_some_and(|after| after.starts_with(';'));
    Some((inner.get(..close)?, end + usize::from(has_semicolon)))
}

#[cfg(test)]
mod tests;
