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
        .map(|name| text.find(&format!("$shared[\"{name}\"] = ")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
    for part in [
        "const { a: a, b: c } = $shared[\"state/a.js\"];",
        "const all = $shared[\"state/a.js\"];",
        "const d = $shared[\"vendor/d.mjs\"].default;",
        "return { a, b };",
        "const { q: q } = $shared[\"vendor/f.mjs\"];const z=q;",
        "return { y: x, z: $shared[\"vendor/e.mjs\"].z, default: $default };",
        "const $default = function(){}",
        "class q {}",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("import") && text.matches("export").count() == 1, "{text}");
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
    let expected = "import { $shared } from \"../start.js\";\nconst $own = {};\n\
                    $own[\"pages/own.js\"] = (() => {\nconst o = 2;\n\nreturn { o };\n})();\n\
                    const { a: a } = $shared[\"a.js\"];\nconst { o: o } = $own[\"pages/own.js\"];\n\
                    export const Page = a + o;\n";
    assert_eq!(files["pages/p.js"], expected);
    assert!(!files.contains_key("pages/own.js"));
    assert!(files["start.js"].contains("import(\"./pages/p.js\");"));
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

#[test]
fn a_module_that_two_pages_need_exists_once() {
    let page = "import { o } from \"../state/own.js\";\nexport const Page = o;\n";
    let files = link(&[
        ("start.js", "import(\"./pages/p.js\");\nimport(\"./pages/q.js\");\n"),
        ("pages/p.js", page),
        ("pages/q.js", page),
        ("state/own.js", "import { x } from \"../x.js\";\nexport const o = x;\n"),
        ("x.js", "export const x = 2;\n"),
    ])
    .unwrap();
    for name in ["pages/p.js", "pages/q.js"] {
        let text = &files[name];
        assert!(text.contains("from \"../state/own.js\";") && text.contains("$own[\"state/own.js\"] = $m"), "{text}");
        assert!(text.contains("const { o: o } = $own[\"state/own.js\"];"), "{text}");
    }
    assert!(files["state/own.js"].starts_with("import { x } from \"../x.js\";"));
    assert_eq!(files["x.js"], "export const x = 2;\n");
}
