import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verify } from '@cleat/conformance';

const directory = mkdtempSync(join(tmpdir(), 'my-plugin-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** What engines really do to a plugin: twice, at once, out of order, and `kill -9` in between. */
test('it is what engines expect', async (context) => {
  const socket = join(directory, 'plugin.sock');
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const { results } = await verify(socket, { start: `exec node ${main} --socket ${socket}{{testFlags}}` });
  for (const { case: one, outcome, finding, reason } of results) {
    // Advice is for you to take or leave.
    const skip = outcome === 'warned' ? `advice: ${finding?.message}` : outcome === 'skipped' && reason;
    await context.test(one.title, { skip }, () => {
      if (finding) throw finding;
      if (outcome === 'broken') throw new Error(reason);
    });
  }
});
