//! Linking of modules.

use std::collections::BTreeMap;

use super::linked;

fn link(modules: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
    let modules = modules.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    linked(&modules, "start.js")
}

#[test]
fn what_the_entry_imports_becomes_one_file_in_the_order_of_the_imports() {
    let files = link(&[
        (
            "start.js",
            "import { a, b as c } from \"./state/a.js\";\nimport * as all from \"./state/a.js\";\na(c, all);\n",
        ),
        ("state/a.js", "import d from \"../vendor/d.mjs\";\nexport function a() { return d; }\nexport const b = 1;\n"),
        ("vendor/d.mjs", "var x=1;export{x as y};export{z}from\"./e.mjs\";export default function(){}"),
        ("vendor/e.mjs", "import{q}from\"./f.mjs\";const z=q;export{z};"),
        ("vendor/f.mjs", "export class q {}\n"),
    ])
    .unwrap();
    assert_eq!(files.len(), 1);
    let text = &files["start.js"];
    let places: Vec<usize> = ["vendor/f.mjs", "vendor/e.mjs", "vendor/d.mjs", "state/a.js", "start.js"]
        .iter()
        .map(|name| text.find(&format!("$modules[\"{name}\"] = ")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
    for part in [
        "const { a, b: c } = $modules[\"state/a.js\"];",
        "const all = $modules[\"state/a.js\"];",
        "const d = $modules[\"vendor/d.mjs\"].default;",
        "return { a, b };",
        "const { q } = $modules[\"vendor/f.mjs\"];const z=q;",
        "return { y: x, z: $modules[\"vendor/e.mjs\"].z, default: $default };",
        "const $default = function(){}",
        "class q {}",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("import") && text.ends_with("\nexport { $modules };\n"), "{text}");
}

#[test]
fn a_module_that_is_loaded_later_takes_shared_modules_from_the_entry() {
    let files = link(&[
        ("start.js", "import { a } from \"./a.js\";\nimport(\"./pages/p.js\");\n"),
        ("a.js", "export const a = 1;\n"),
        ("pages/p.js", "import { a } from \"../a.js\";\nimport { o } from \"./own.js\";\nexport const Page = a + o;\n"),
        ("pages/own.js", "export const o = 2;\n"),
    ])
    .unwrap();
    let expected = "import { $modules as $modules1 } from \"../start.js\";\nconst $modules = {};\n\
                    $modules[\"pages/own.js\"] = (() => {\nconst o = 2;\n\nreturn { o };\n})();\n\
                    $modules[\"pages/p.js\"] = (() => {\nconst { a } = $modules1[\"a.js\"];\n\
                    const { o } = $modules[\"pages/own.js\"];\nconst Page = a + o;\n\nreturn { Page };\n})();\n\
                    const { Page: $e0 } = $modules[\"pages/p.js\"];\nexport { $modules, $e0 as Page };\n";
    assert_eq!(files["pages/p.js"], expected);
    assert!(!files.contains_key("pages/own.js"));
    assert!(files["start.js"].contains("import(\"./pages/p.js\");"));
}

#[test]
fn the_address_of_a_load_is_that_of_the_file_which_its_module_becomes_a_part_of() {
    let files = link(&[
        ("start.js", "import \"./state/menu.js\";\n"),
        ("state/menu.js", "import(\"../pages/p.js\");\n"),
        ("pages/p.js", "import \"../widgets/w.js\";\nexport default 1;\n"),
        ("widgets/w.js", "import(\"./later.js\");\n"),
        ("widgets/later.js", "export const later = 1;\n"),
    ])
    .unwrap();
    assert!(files["start.js"].contains("import(\"./pages/p.js\");"));
    assert!(files["pages/p.js"].contains("import(\"../widgets/later.js\");"));
    assert!(files["pages/p.js"].contains("const { default: $e0 }") && files["pages/p.js"].contains("$e0 as default }"));
}

#[test]
fn circles_missing_modules_and_other_statements_are_refused() {
    let refusal = |modules: &[(&str, &str)]| link(modules).unwrap_err();
    let circle = refusal(&[("start.js", "import \"./a.js\";"), ("a.js", "import \"./start.js\";")]);
    assert!(circle.contains("start.js -> a.js"), "{circle}");
    assert!(refusal(&[("start.js", "import { x } from \"./none.js\";")]).contains("start.js imports none.js"));
    assert!(refusal(&[("start.js", "export let x = 1;\n")]).contains("let x = 1"));
    assert!(refusal(&[("start.js", "export * from \"./a.js\";\n")]).contains("* from"));
}

/// A module that is too long to be in the file of the entry only because several pages need it.
fn long(text: &str) -> String {
    format!("const text = \"{}\";\n{text}", "x".repeat(5000))
}

const TWO_PAGES: (&str, &str) = ("start.js", "import(\"./pages/p.js\");\nimport(\"./pages/q.js\");\n");

/// Returns the names of the files that have a module.
fn files_with<'a>(files: &'a BTreeMap<String, String>, module: &str) -> Vec<&'a str> {
    let begin = format!("$modules[\"{module}\"] = (");
    files.iter().filter(|(_, text)| text.contains(&begin)).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn modules_that_the_same_pages_need_are_one_file() {
    let page = "import { o } from \"../state/own.js\";\nexport const Page = o;\n";
    let own = long("import { x } from \"../x.js\";\nexport const o = x;\n");
    let files = link(&[
        TWO_PAGES,
        ("pages/p.js", page),
        ("pages/q.js", page),
        ("state/own.js", &own),
        ("x.js", "export const x = 2;\n"),
    ])
    .unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["pages/p.js", "pages/q.js", "start.js", "state/own.js"]);
    for name in ["pages/p.js", "pages/q.js"] {
        let text = &files[name];
        assert!(text.starts_with("import { $modules as $modules1 } from \"../state/own.js\";\nconst"), "{text}");
        assert!(text.contains("const { o } = $modules1[\"state/own.js\"];"), "{text}");
    }
    assert_eq!(
        (files_with(&files, "state/own.js"), files_with(&files, "x.js")),
        (vec!["state/own.js"], vec!["state/own.js"])
    );
}

#[test]
fn a_small_module_that_two_pages_need_is_in_the_file_of_the_entry_with_what_it_imports() {
    let page = "import { o } from \"../own.js\";\nexport const Page = o;\n";
    let uses_long = "import { l } from \"./long.js\";\nexport const o = l;\n";
    let modules = |own, far| {
        link(&[
            TWO_PAGES,
            ("pages/p.js", page),
            ("pages/q.js", page),
            ("own.js", own),
            ("far.js", "export const f = 1;\n"),
            ("long.js", far),
        ])
    };
    let files = modules("import { f } from \"./far.js\";\nexport const o = f;\n", "").unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["pages/p.js", "pages/q.js", "start.js"]);
    let places = ["far.js", "own.js"].map(|name| files["start.js"].find(&format!("$modules[{name:?}] = ")).unwrap());
    assert!(places[0] < places[1]);
    let files = modules(uses_long, &long("export const l = 1;\n")).unwrap();
    assert_eq!((files_with(&files, "own.js"), files_with(&files, "long.js")), (vec!["own.js"], vec!["own.js"]));
}

#[test]
fn a_part_that_only_one_page_loads_takes_modules_from_the_file_of_the_page() {
    let texts = long("export const t = 1;\n");
    let both = "import { t } from \"../texts.js\";\n";
    let page = format!("{both}import(\"../widgets/live.js\");\nexport const Page = t;\n");
    let live = format!("{both}import(\"./deep.js\");\nexport const Live = t;\n");
    let modules = |start: &'static str| {
        link(&[
            ("start.js", start),
            ("pages/p.js", &page),
            ("widgets/live.js", &live),
            ("widgets/deep.js", both),
            ("texts.js", &texts),
            ("pages/q.js", "export {};\n"),
        ])
        .unwrap()
    };
    let files = modules("import(\"./pages/p.js\");\n");
    assert_eq!(files.keys().collect::<Vec<_>>(), ["pages/p.js", "start.js", "widgets/deep.js", "widgets/live.js"]);
    assert_eq!(files_with(&files, "texts.js"), ["pages/p.js"]);
    for part in ["widgets/live.js", "widgets/deep.js"] {
        assert!(files[part].starts_with("import { $modules as $modules1 } from \"../pages/p.js\";\nconst"), "{part}");
    }
    // Another loader: the page may not be there, and its file must not be loaded for the texts.
    let files = modules("import(\"./pages/p.js\");\nimport(\"./widgets/live.js\");\n");
    assert_eq!(files_with(&files, "texts.js"), ["texts.js"]);
    assert!(!files["widgets/live.js"].contains("pages/p.js"));
}

#[test]
fn parts_that_load_each_other_share_a_module_without_a_circle_of_files() {
    let texts = long("export const t = 1;\n");
    let part = |other: &str| {
        format!("import {{ t }} from \"./texts.js\";\nimport(\"./{other}.js\");\nexport const Page = t;\n")
    };
    for start in ["import(\"./p.js\");\n", "import(\"./p.js\");\nimport(\"./q.js\");\n", "export {};\n"] {
        let files =
            link(&[("start.js", start), ("p.js", &part("q")), ("q.js", &part("p")), ("texts.js", &texts)]).unwrap();
        assert_eq!(files_with(&files, "texts.js").len(), 1);
        let imports = |file: &str, other: &str| files[file].contains(&format!("from \"./{other}\""));
        assert!(!(imports("p.js", "q.js") && imports("q.js", "p.js")), "{files:?}");
    }
}

#[test]
fn a_page_that_another_one_imports_stays_one_module() {
    let files = link(&[
        TWO_PAGES,
        ("pages/p.js", "export const Page = 1;\n"),
        ("pages/q.js", "import { Page as Other } from \"./p.js\";\nexport const Page = Other;\n"),
    ])
    .unwrap();
    assert_eq!(files_with(&files, "pages/p.js"), ["pages/p.js"]);
    assert!(
        files["pages/q.js"].contains("const { Page: Other } = $modules1[\"pages/p.js\"];"),
        "{}",
        files["pages/q.js"]
    );
    let at_once = link(&[("start.js", "import \"./p.js\";\nimport(\"./p.js\");\n"), ("p.js", "export {};\n")]);
    assert!(at_once.unwrap_err().contains("p.js is loaded later, but start.js needs it at once"));
}
