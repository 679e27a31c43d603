//! Lists the files of the System Console, so that a release contains them. A debug build reads them from the source
//! folder instead, so that a changed page needs no build. Packs the parts of Swagger UI that its page loads.

use std::fmt::Write;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::result::ZipResult;
use zip::{ZipArchive, ZipWriter};

/// The folder with the files, relative to this package.
const FOLDER: &str = "src/web/console";

/// The ends of the names of files that browsers get.
const SERVED: [&str; 6] = [".js", ".mjs", ".css", ".html", ".svg", ".txt"];

/// The parts of Swagger UI that its page loads. Its archive also has its sources, which would take 1.3 MB.
const SWAGGER_UI: [&str; 2] = ["/dist/swagger-ui.css", "/dist/swagger-ui-bundle.js"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(FOLDER);
    let mut names = Vec::new();
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed={FOLDER}");
        list(&root, "", &mut names)?;
        names.sort();
    }
    let mut table = String::from("&[\n");
    for name in names {
        let path = root.join(&name);
        writeln!(table, "    ({name:?}, include_str!({:?})),", path.display().to_string()).map_err(io::Error::other)?;
    }
    table.push(']');
    let made = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(made.join("console_files.rs"), table)?;
    pack_swagger_ui(&made.join("swagger_ui.zip"))?;
    Ok(())
}

/// Copies the parts into an archive of their own, compressed as they are.
fn pack_swagger_ui(place: &Path) -> ZipResult<()> {
    let mut all = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut packed = ZipWriter::new(fs::File::create(place)?);
    for index in 0..all.len() {
        let file = all.by_index_raw(index)?;
        if SWAGGER_UI.iter().any(|end| file.name_raw().ends_with(end.as_bytes())) {
            packed.raw_copy_file(file)?;
        }
    }
    packed.finish()?;
    Ok(())
}

fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else if SERVED.iter().any(|end| name.ends_with(end)) {
            names.push(name);
        }
    }
    Ok(())
}
