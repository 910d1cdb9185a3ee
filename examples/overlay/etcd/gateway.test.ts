import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeEtcd } from './fake-etcd.fixture.js';
import { Gateway, Refusal } from './gateway.js';

let one: FakeEtcd;
let two: FakeEtcd;
const gateways: Gateway[] = [];

beforeEach(async () => {
  [one, two] = await Promise.all([FakeEtcd.start(), FakeEtcd.start()]);
  two.put('/k', 'of two');
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) gateway.close();
  await Promise.all([one, two].map((fake) => fake[Symbol.asyncDispose]()));
});

function gatewayTo(members: readonly string[], deadlineMs = 20_000): Gateway {
  const gateway = new Gateway(members, {}, deadlineMs);
  gateways.push(gateway);
  return gateway;
}
const range = { key: Buffer.from('/k').toString('base64') };

test('a member that hangs up is passed over, and the one that answered is asked first from then on', async () => {
  const gateway = gatewayTo([one.url, two.url]);
  one.isAway = true;
  expect(await gateway.post('/v3/kv/range', range)).toMatchObject({ kvs: [{}] });
  one.isAway = false;
  expect(await gateway.post('/v3/kv/range', range)).toMatchObject({ kvs: [{}] });
  two.isAway = true;
  expect(await gateway.post('/v3/kv/range', range)).toMatchObject({ kvs: [] });
});

test('silence has a deadline', async () => {
  const gateway = gatewayTo([one.url], 50);
  one.isSilent = true;
  await expect(gateway.post('/v3/kv/range', range)).rejects.toThrow(/etcd does not answer .* no answer in 50 ms/);
  const stream = gateway.stream('/v3/watch', { create_request: {} }, new AbortController().signal);
  await expect(stream.next()).rejects.toThrow('no answer in 50 ms');
});

test('a refusal of etcd is final: no other member is asked', async () => {
  const gateway = gatewayTo([one.url, two.url]);
  const put = { request_put: { ...range, value: '', lease: '99' } };
  const refused = gateway.post('/v3/kv/txn', { success: [put] });
  await expect(refused).rejects.toThrow(Refusal);
  await expect(refused).rejects.toMatchObject({ code: 5, message: 'etcdserver: requested lease not found' });
  expect(two.get('/k')).toBe('of two');
});

test('a watch goes on to the next member, which has its own time', async () => {
  const gateway = gatewayTo([one.url, two.url], 1_500);
  one.isSilent = true;
  const stop = new AbortController();
  const stream = gateway.stream('/v3/watch', { create_request: { key: '', start_revision: '1' } }, stop.signal);
  expect(await stream.next()).toMatchObject({ value: { created: true } });
  const next = stream.next();
  stop.abort();
  await expect(next).rejects.toThrow();
  // It does not begin where it is to end already.
  await expect(gateway.stream('/v3/watch', { create_request: {} }, stop.signal).next()).rejects.toThrow();
});

test('a member that has no majority behind it is passed over', async () => {
  const gateway = gatewayTo([one.url, two.url]);
  one.refusal = { error: 'etcdserver: no leader', code: 14 };
  expect(await gateway.post('/v3/kv/range', range)).toMatchObject({ kvs: [{}] });
  two.refusal = { error: 'etcdserver: request timed out', code: 14 };
  await expect(gateway.post('/v3/kv/range', range)).rejects.toMatchObject({ class: 'Unavailable' });
});

test('a member without a URL is refused with an example', () => {
  for (const odd of ['', 'etcd:2379', '192.0.2.1:2379', 'http://']) {
    expect(() => gatewayTo([odd])).toThrow('URLs such as http://192.0.2.1:2379');
  }
});
