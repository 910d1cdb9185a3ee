import { expect, test } from 'vitest';
import { registryOf, steady } from './hostile.fixture.js';
import { openPage } from './page.js';
import { fakeRegistry } from './registry.fixture.js';
import type { Reach } from './transport.js';

const { signal } = new AbortController();

async function textOf(url: string, reach?: Reach): Promise<string> {
  using page = await openPage(url, signal, reach);
  return `${page.answer.status} ${await page.answer.bytes(1000, 'the page')}`;
}

test('a page is followed to where it has gone, and its credentials are for its own server alone', async () => {
  await using other = await fakeRegistry(({ url, authorization }) => ({ body: `${url} ${authorization}` }));
  await using home = await fakeRegistry(({ url, authorization }) => {
    const places: Record<string, string> = { '/away': `http://${other.host}/there`, '/near': 'here' };
    const location = places[url];
    return location ? { status: 302, headers: { location } } : { body: `${url} ${authorization}` };
  });
  const from = (path: string) => textOf(`http://me:p%40ss@${home.host}${path}`, steady);
  const own = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
  expect(await from('/x')).toBe(`200 /x ${own}`);
  expect(await from('/near')).toBe(`200 /here ${own}`);
  expect(await from('/away')).toBe('200 /there undefined');
});

test('redirects have an end, and lead to no less safe place', async () => {
  await using round = await fakeRegistry(({ url }) => ({
    status: 302,
    headers: { location: url === '/ftp' ? 'ftp://x/' : `${url}x` },
  }));
  await expect(textOf(`http://${round.host}/`, steady)).rejects.toThrow('stopped after 10 redirects');
  expect(round.seen.length).toBe(10);
  await expect(textOf(`http://${round.host}/ftp`, steady)).rejects.toThrow('refusing a redirect from');
});

test('a server elsewhere leads to nothing of this host', async () => {
  await using secret = await fakeRegistry(() => ({ body: 'of this host' }));
  await using elsewhere = await registryOf(
    (request, response) =>
      response
        .writeHead(302, { location: request.url === '/data' ? 'http://169.254.169.254/' : `http://${secret.host}/` })
        .end(),
    '127.0.0.2',
  );
  const reach: Reach = { ...steady, isHostAddress: (address) => address === '127.0.0.1' };
  for (const path of ['/', '/data']) {
    await expect(textOf(`http://${elsewhere.host}${path}`, reach)).rejects.toMatchObject({ class: 'Forbidden' });
  }
  expect(secret.seen).toEqual([]);
});
