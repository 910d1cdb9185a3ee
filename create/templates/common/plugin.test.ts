import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { conformanceTests } from '@cleat/conformance';

/** Calls as engines really make them: twice, at once, out of order, and `kill -9` in between. Each case is a test. */
const directory = mkdtempSync(join(tmpdir(), 'my-plugin-'));
const socket = join(directory, 'plugin.sock');
const main = fileURLToPath(new URL('./main.js', import.meta.url));
const plugin = conformanceTests(socket, {
  kinds: ['{{capability}}'],
  start: `exec node ${main} --socket ${socket}{{testFlags}}`,
});
after(async () => {
  await plugin.close();
  rmSync(directory, { recursive: true, force: true });
});

for (const { name, run } of plugin.tests) test(name, run);
