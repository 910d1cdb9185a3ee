import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openContent } from './index.js';

test('a blob stays as long as one of several users, or work under way, needs it', async () => {
  const root = await mkdtemp(join(tmpdir(), 'content-'));
  try {
    const content = await openContent(root);
    const [layers, plugins] = [new Set<string>(), new Set<string>()];
    content.addUser({ blobs: () => layers });
    content.addUser({ blobs: () => plugins });
    const lease = content.lease();
    const names = ['shared', 'plain', 'leased', 'idle'];
    const all = await Promise.all(names.map((text) => content.store(piecesOf(text), lease)));
    const [shared = '', plain = '', leased = '', idle = ''] = all.map(({ digest }) => digest);
    lease.end();
    for (const digest of [shared, plain]) layers.add(digest);
    plugins.add(shared);
    const work = content.lease();
    work.keepBlob(leased);
    const here = async () => await Promise.all([shared, plain, leased, idle].map((digest) => content.has(digest)));

    await content.collect([shared, plain, leased, idle]);
    expect(await here()).toEqual([true, true, true, false]);
    layers.clear();
    await content.collect([shared, plain, leased]);
    expect(await here()).toEqual([true, false, true, false]);
    work.end();
    // Nothing is under way at a start.
    await content.collectAll();
    expect(await here()).toEqual([true, false, false, false]);
    plugins.clear();
    await content.collect([shared]);
    expect(await here()).toEqual([false, false, false, false]);
  } finally {
    await rm(root, { recursive: true });
  }
});

async function* piecesOf(text: string): AsyncGenerator<string> {
  yield text;
}
