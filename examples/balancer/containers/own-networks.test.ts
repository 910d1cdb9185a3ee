import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { Engine } from '@cleat/sdk/watch';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Wish, wishOf } from '../labels/wish.js';
import type { Container } from './container.js';
import { OwnNetworks, ownContainerIn } from './own-networks.js';

const id = 'ab'.repeat(32);
const socket = join(tmpdir(), `own-networks-${process.pid}.sock`);
let server: Server;
let asked: string[];
let status: number;

beforeEach(async () => {
  [asked, status] = [[], 200];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${body}`);
      response.writeHead(status).end(status === 200 ? '' : '{"message":"no such network"}');
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
});

const container = (id: string, ...networks: string[]): Container => ({
  id,
  name: id,
  labels: {},
  created: '',
  startedAt: '',
  health: 'none',
  isPaused: false,
  stopSignal: '',
  stopMs: 0,
  networks: new Map(networks.map((name) => [name, '10.0.0.1'])),
  onHost: false,
  exposed: [],
  published: [],
});
const wish = (network: string): Wish => {
  const { wish } = wishOf({ 'interlock.hostname': 'a', 'interlock.network': network });
  if (!wish) throw new Error('the labels make no sense');
  return wish;
};

test('the container that a process runs in, by the mounts of its files', () => {
  const line = (root: string, at: string) => `203 1 254:0 ${root} ${at} rw - ext4 /dev/vda rw\n`;
  expect(ownContainerIn(line('/', '/') + line(`/var/lib/cleat/containers/${id}/hosts`, '/etc/hosts'))).toBe(id);
  expect(ownContainerIn(line(`/docker/containers/${id}/resolv.conf`, '/etc/resolv.conf'))).toBe(id);
  // On a host there are mounts of containers, too.
  expect(ownContainerIn(line('/', `/var/lib/docker/containers/${id}/mounts/shm`))).toBeUndefined();
});

test('it is connected to the networks of labels whose containers are in them, and where that fails again later', async () => {
  const own = container(id, 'bridge');
  const others = [container('1', 'front'), container('2', 'bridge'), container('3', 'bridge')];
  const running = new Map([own, ...others].map((one) => [one.id, one]));
  const asking = ['front', 'bridge', 'secret'].map((network, at) => ({
    container: others[at] ?? own,
    wish: wish(network),
  }));
  const networks = new OwnNetworks(new Engine(`unix://${socket}`), id, silentLogger);
  status = 404;
  networks.join(running, asking);
  networks.join(running, asking);
  await vi.waitUntil(() => asked.length > 0);
  expect(asked).toEqual([`POST /networks/front/connect {"Container":"${id}"}`]);
  networks.join(running, asking);
  status = 200;
  networks.retry();
  networks.join(running, asking);
  await vi.waitUntil(() => asked.length > 1);
  // It is asked once, until the engine tells that it is there.
  networks.join(running, asking);
  expect(asked).toHaveLength(2);

  new OwnNetworks(new Engine(`unix://${socket}`), undefined, silentLogger).join(running, asking);
  new OwnNetworks(new Engine(`unix://${socket}`), 'elsewhere', silentLogger).join(running, asking);
  expect(asked).toHaveLength(2);
});
