// The libraries of the System Console: compared with the packages of the registry, or renewed from them.
//
//   node vendored.mjs            in the folder where the packages are installed: compares, one JSON object for each file
//   node vendored.mjs --write    also writes the files, their versions and hashes
//
// Rewritten are only the imports of other packages, which browsers cannot find without a map; the note about a source
// map goes, and a script gets the export that makes it a module.

import {createHash} from 'node:crypto';
import {readFileSync, writeFileSync} from 'node:fs';
import process from 'node:process';
import {fileURLToPath} from 'node:url';

const FOLDER = fileURLToPath(new URL('../../../src/web/console/vendor/', import.meta.url));

const FILES = [
  { name: 'preact.mjs', package: 'preact', file: 'dist/preact.mjs' },
  { name: 'hooks.mjs', package: 'preact', file: 'hooks/dist/hooks.mjs' },
  { name: 'signals-core.mjs', package: '@preact/signals-core', file: 'dist/signals-core.mjs' },
  { name: 'signals.mjs', package: '@preact/signals', file: 'dist/signals.mjs' },
  { name: 'htm.mjs', package: 'htm', file: 'dist/htm.mjs' },
  { name: 'uplot.mjs', package: 'uplot', file: 'dist/uPlot.iife.min.js', end: 'export default uPlot;\n' },
];

const BARE = { 'preact': './preact.mjs', 'preact/hooks': './hooks.mjs', '@preact/signals-core': './signals-core.mjs' };

const read = (path) => readFileSync(path, 'utf8');
const hash = (text) => createHash('sha256').update(text).digest('hex');

function made({ package: name, file, end = '' }) {
  let text = read(`node_modules/${name}/${file}`).replace(/\n?\/\/# sourceMappingURL=\S+\s*$/, '\n');
  for (const [bare, relative] of Object.entries(BARE)) {
    text = text.replaceAll(`from"${bare}"`, `from"${relative}"`);
  }
  return text + end;
}

const licences = [...new Set(FILES.map((file) => file.package))].map((name) => {
  const text = read(`node_modules/${name}/LICENSE`).trim();
  return `${name}\n\n${text}\n`;
}).join('\n---\n\n');

const rows = FILES.map((file) => {
  const { version } = JSON.parse(read(`node_modules/${file.package}/package.json`));
  const text = made(file);
  return { name: file.name, package: file.package, version, file: file.file, sha256: hash(text), text };
});
const table = `${JSON.stringify(rows.map(({ text: _, ...row }) => row), null, 2)}\n`;

if (process.argv.includes('--write')) {
  for (const row of rows) writeFileSync(FOLDER + row.name, row.text);
  writeFileSync(`${FOLDER}packages.json`, table);
  writeFileSync(`${FOLDER}licences.txt`, licences);
}
for (const { name, version, text } of rows) {
  console.log(JSON.stringify({ name, version, is_same: read(FOLDER + name) === text }));
}
console.log(JSON.stringify({ name: 'packages.json', is_same: read(`${FOLDER}packages.json`) === table }));
console.log(JSON.stringify({ name: 'licences.txt', is_same: read(`${FOLDER}licences.txt`) === licences }));
