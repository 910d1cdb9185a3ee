import { expect, test } from 'vitest';
import { newEndpoint } from './endpoint.js';
import { waysOut } from './gateway.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.js';

const sandbox = (endpoints: EndpointRecord[]) => ({ containerName: 'cc', endpoints }) as SandboxRecord;
function endpoint(networkName: string, more: Partial<EndpointRecord>, GwPriority = 0): EndpointRecord {
  const network = { id: networkName, name: networkName, internal: false } as unknown as NetworkRecord;
  return { ...newEndpoint(network, sandbox([]), { GwPriority }), ...more };
}
const four = { gateway: '10.0.0.1' };
const six = { gateway6: 'fd00::1' };

test.each<[string, EndpointRecord[], string | undefined, string | undefined]>([
  ['none', [endpoint('a', {})], undefined, undefined],
  ['the name decides', [endpoint('b', four), endpoint('a', four)], 'a', undefined],
  ['both families before one', [endpoint('a', four), endpoint('b', { ...four, ...six })], 'b', 'b'],
  ['each family by itself', [endpoint('a', four, 1), endpoint('b', { ...four, ...six })], 'a', 'b'],
  ['the user’s word first', [endpoint('a', { ...four, ...six }, -1), endpoint('b', four)], 'b', 'a'],
  ['an internal one late', [endpoint('a', { ...four, internal: true }), endpoint('b', four)], 'b', undefined],
  ['the gateway network last', [endpoint('a', { ...four, role: 'gateway' }), endpoint('b', four)], 'b', undefined],
  ['by static routes', [endpoint('a', { defaultRoute: true }), endpoint('b', { defaultRoute6: true })], 'a', 'b'],
])('ways out: %s', (_, endpoints, isFour, isSix) => {
  const ways = waysOut(sandbox(endpoints));
  expect([ways.four?.networkName, ways.six?.networkName]).toEqual([isFour, isSix]);
});
