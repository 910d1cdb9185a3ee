import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { kindFolder, referenceFiles } from './files.js';

/** `npm run docs`: writes the reference; run in the checkout. */
const files = await referenceFiles('.');
mkdirSync(kindFolder, { recursive: true });
for (const name of readdirSync(kindFolder)) if (!files.has(`${kindFolder}/${name}`)) rmSync(join(kindFolder, name));
for (const [path, text] of files) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  process.stdout.write(`${path}\n`);
}
