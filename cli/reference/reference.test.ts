import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { kindFolder, referenceFiles } from './files.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const files = await referenceFiles(root);

test.each([...files])('%s is what the contracts say (after a change: npm run docs)', (path, text) => {
  expect(readFileSync(root + path, 'utf8')).toBe(text);
});

test('nothing is left of what is no longer a kind (npm run docs)', () => {
  expect(readdirSync(root + kindFolder).filter((name) => !files.has(`${kindFolder}/${name}`))).toEqual([]);
});
