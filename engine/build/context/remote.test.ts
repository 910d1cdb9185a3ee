import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Helper } from '@cleat/linux/helper/helper';
import { silentLogger } from '@cleat/protocol/log';
import { expect, test, vi } from 'vitest';
import { fakeRegistry } from '../../distribution/registry.fixture.js';
import { downloadOf } from '../download.js';
import { Contexts } from './contexts.js';
import { fromRemote } from './remote.js';

test('a remote context comes through the proxy of the environment', async () => {
  await using proxy = await fakeRegistry(({ url }) =>
    url === 'http://context.test/Dockerfile'
      ? { headers: { 'content-type': 'text/plain' }, body: 'FROM proxied\n' }
      : { status: 404, body: 'no such page' },
  );
  const root = mkdtempSync(join(tmpdir(), 'cleat-remote-'));
  const helper = new Helper();
  const contexts = new Contexts({ root, helper, log: silentLogger });
  vi.stubEnv('HTTP_PROXY', `http://${proxy.host}`);
  vi.stubEnv('NO_PROXY', '');
  try {
    contexts.makePlaces();
    const { signal } = new AbortController();
    await using context = await fromRemote(contexts, 'http://context.test/Dockerfile', { signal });
    expect(readFileSync(context.dockerfile ?? '', 'utf8')).toBe('FROM proxied\n');
    await expect(fromRemote(contexts, 'http://context.test/other', { signal })).rejects.toThrow(
      'failed to GET http://context.test/other with status 404 Not Found: no such page',
    );
  } finally {
    vi.unstubAllEnvs();
    await contexts.close();
    await helper.close();
    await rm(root, { recursive: true });
  }
});

test('so does what ADD names', async () => {
  await using proxy = await fakeRegistry(({ url }) =>
    url === 'http://file.test/f' ? { headers: { 'last-modified': 'today' }, body: 'proxied' } : { status: 404 },
  );
  vi.stubEnv('HTTP_PROXY', `http://${proxy.host}`);
  vi.stubEnv('NO_PROXY', '');
  try {
    const { signal } = new AbortController();
    const { content, modified } = await downloadOf('http://file.test/f', signal);
    expect({ text: await text(content), modified }).toEqual({ text: 'proxied', modified: 'today' });
    await expect(downloadOf('http://file.test/g', signal)).rejects.toThrow(
      'invalid response status 404 from http://file.test/g',
    );
  } finally {
    vi.unstubAllEnvs();
  }
});
