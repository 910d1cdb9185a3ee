import { Agent, request } from 'node:http';
import { expect, test, vi } from 'vitest';
import { startApi } from '../testing/fakes.js';

const plugin = { Name: 'mine:latest', Id: 'a', Enabled: false } as never;

/** One request after the other on one connection. */
function client(socketPath: string, userAgent: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method: string, path: string, body?: string) =>
    new Promise<{ status: number; name: unknown; text: string }>((resolve, reject) => {
      const headers = { 'user-agent': userAgent, ...(body !== undefined && { 'content-type': 'application/json' }) };
      const outgoing = request({ socketPath, agent, method, path: `/v1.50${path}`, headers }, async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode ?? 0, name: response.headers['docker-plugin-name'], text });
      });
      outgoing.on('error', reject).end(body);
    });
  return { ask, [Symbol.dispose]: () => agent.destroy() };
}

test('the stock client is asked for what is new only when it upgrades: it has looked at the plugin just before', async () => {
  const privileges = vi.fn(async () => []);
  await using api = await startApi({ plugins: { inspect: () => plugin, privileges } });
  using stock = client(api.socketPath, 'Docker-Client/28.2.2 (linux)');
  const asked = () => privileges.mock.calls.map((call) => (call as unknown[])[1]) as { name?: string }[];
  await stock.ask('GET', '/plugins/mine/json');
  await stock.ask('GET', '/plugins/privileges?remote=a/b');
  expect(asked().at(-1)?.name).toBe('mine:latest');
  await stock.ask('GET', '/plugins/privileges?remote=a/b');
  expect(asked().at(-1)?.name).toBeUndefined();
  await stock.ask('GET', '/plugins/mine/json');
  using another = client(api.socketPath, 'Docker-Client/28.2.2 (linux)');
  await another.ask('GET', '/plugins/privileges?remote=a/b');
  expect(asked().at(-1)?.name).toBeUndefined();
  using other = client(api.socketPath, 'Go-http-client/1.1');
  await other.ask('GET', '/plugins/mine/json');
  await other.ask('GET', '/plugins/privileges?remote=a/b');
  expect(asked().at(-1)?.name).toBeUndefined();
  await other.ask('GET', '/plugins/privileges?remote=a/b&name=mine');
  expect(asked().at(-1)?.name).toBe('mine');
});

test('statuses and heads are a stock engine’s', async () => {
  const done = async () => {};
  async function* lines() {
    yield { status: 'Pulling from a/b', id: 'latest' };
  }
  const enable = vi.fn(done);
  const set = vi.fn(done);
  await using api = await startApi({
    plugins: {
      enable,
      set,
      disable: done,
      remove: done,
      create: done,
      nameFor: () => 'mine:v1',
      inspect: () => plugin,
      pull: lines,
      upgrade: lines,
    },
  });
  using stock = client(api.socketPath, 'curl');
  const status = async (...args: Parameters<typeof stock.ask>) => (await stock.ask(...args)).status;
  expect(await status('POST', '/plugins/a/b/enable')).toBe(400);
  expect(await status('POST', '/plugins/a/b/enable?timeout=x')).toBe(400);
  expect(await status('POST', '/plugins/a/b/enable?timeout=-1')).toBe(400);
  expect(enable).not.toHaveBeenCalled();
  expect(await status('POST', '/plugins/a/b/enable?timeout=5')).toBe(200);
  expect(enable).toHaveBeenCalledWith('a/b', 5);
  expect(await status('POST', '/plugins/a/b:v1/disable?force=1')).toBe(200);
  expect(await status('DELETE', '/plugins/a/b')).toBe(200);
  expect(await status('POST', '/plugins/create?name=x', 'tar')).toBe(204);
  expect(await status('POST', '/plugins/a/b/set', '["X=1"]')).toBe(204);
  expect(set).toHaveBeenCalledWith('a/b', ['X=1']);
  expect(await status('POST', '/plugins/a/b/set', '{}')).toBe(400);
  expect(await stock.ask('POST', '/plugins/pull?remote=a/b', 'null')).toEqual({
    status: 200,
    name: 'mine:v1',
    text: '{"status":"Pulling from a/b","id":"latest"}\n',
  });
  // By an ID, too: the head has the name.
  expect(await stock.ask('POST', `/plugins/${'a'.repeat(64)}/upgrade?remote=a/b`, '[]')).toMatchObject({
    status: 200,
    name: 'mine:latest',
  });
});
