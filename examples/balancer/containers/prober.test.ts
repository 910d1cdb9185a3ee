import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Prober, type Target } from './prober.js';

let server: ReturnType<typeof createServer>;
let status = 200;
let port = 0;
let changes = 0;
let prober: Prober;
beforeEach(async () => {
  status = 200;
  changes = 0;
  server = createServer((_request, response) => response.writeHead(status).end());
  await listen(0);
  port = (server.address() as AddressInfo).port;
  prober = new Prober(() => {
    changes++;
  });
});
afterEach(() => {
  prober[Symbol.dispose]();
  server.close();
});

async function listen(at: number): Promise<void> {
  server.listen(at, '127.0.0.1');
  await once(server, 'listening');
}

const target = (more: Partial<Target> = {}): Target => ({
  id: 'a',
  startedAt: '1',
  addresses: [{ ip: '127.0.0.1', port }],
  path: undefined,
  host: 'x',
  tls: false,
  intervalMs: 20,
  ...more,
});

test('the first address that answers is taken; one that is lost is taken out after two failures, and comes back', async () => {
  const own = { ip: '127.0.0.1', port };
  prober.watch([target({ addresses: [{ ip: '127.0.0.1', port: 1 }, own] })]);
  expect(prober.hasTried).toBe(false);
  await expect.poll(() => prober.where('a')).toEqual(own);
  expect(prober.hasTried).toBe(true);
  server.close();
  await expect.poll(() => prober.where('a')).toBeUndefined();
  await listen(port);
  await expect.poll(() => prober.where('a')).toEqual(own);
  expect(changes).toBe(3);
});

test('a path must be answered well', async () => {
  status = 500;
  prober.watch([target({ path: '/ping' })]);
  await expect.poll(() => prober.hasTried).toBe(true);
  expect(prober.where('a')).toBeUndefined();
  status = 204;
  await expect.poll(() => prober.where('a')).toBeDefined();
});

test('another network leaves a container in service, another start does not', async () => {
  prober.watch([target()]);
  await expect.poll(() => prober.where('a')).toBeDefined();
  prober.watch([target({ addresses: [{ ip: '127.0.0.2', port: 1 }, ...target().addresses] })]);
  expect(prober.where('a')).toBeDefined();
  prober.watch([target({ startedAt: '2' })]);
  expect(prober.where('a')).toBeUndefined();
  prober.watch([]);
  expect(prober.hasTried).toBe(true);
});
