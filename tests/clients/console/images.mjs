// Renews the pictures in the documents from those that the browser tests left in target/console/. Which picture becomes
// which image stands in images.tsv.
//
//   node tests/clients/console/images.mjs     after cargo test clients::console

import {copyFileSync, readFileSync} from 'node:fs';

const root = new URL('../../../', import.meta.url);
const [, ...rows] = readFileSync(new URL('images.tsv', import.meta.url), 'utf8').trim().split('\n');
for (const row of rows) {
  const [image, picture] = row.split('\t');
  copyFileSync(new URL(`target/console/${picture}.png`, root), new URL(`docs/images/${image}`, root));
  console.log(`docs/images/${image}`);
}
