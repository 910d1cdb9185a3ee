import type { NamedEndpoint } from '@cleat/protocol/kinds/network';
import { netlabel } from '@cleat/protocol/kinds/network';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endpointNames, nameLines } from './names.js';

let names: NamedEndpoint[] | undefined;
let listeners: Set<() => void>;
let stop: AbortController;
let lines: AsyncGenerator<Uint8Array>;
const endpoint = (name: string): NamedEndpoint => ({ Names: [name], Addresses: ['10.9.0.2'] });
const change = (next: NamedEndpoint[] | undefined) => {
  names = next;
  for (const listener of listeners) listener();
};
const next = async (): Promise<unknown> => {
  const { value } = await lines.next();
  return value && JSON.parse(Buffer.from(value).toString());
};

beforeEach(() => {
  names = undefined;
  listeners = new Set();
  stop = new AbortController();
  const onChange = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  lines = nameLines({ current: () => names, onChange }, stop.signal);
});
afterEach(async () => {
  stop.abort();
  expect(await next()).toBeUndefined();
  expect(listeners.size).toBe(0);
});

test('a line for what there is, and one after each change', async () => {
  change([]);
  expect(await next()).toEqual({ Endpoints: [] });
  change([endpoint('web')]);
  expect(await next()).toEqual({ Endpoints: [endpoint('web')] });
});

test('nothing is said before anything is known, or twice; a slow reader gets the latest', async () => {
  const first = next();
  change(undefined);
  change([endpoint('web')]);
  expect(await first).toEqual({ Endpoints: [endpoint('web')] });
  const second = next();
  change([endpoint('web')]);
  for (const name of ['a', 'b', 'c']) change([endpoint(name)]);
  expect(await second).toEqual({ Endpoints: [endpoint('c')] });
});

test('an end that comes while nobody waits', async () => {
  change([]);
  await next();
  stop.abort();
  change([endpoint('late')]);
});

test('the names in the options of an endpoint', () => {
  expect(endpointNames({ [netlabel.endpointNames]: ['web', 7, 'db'] })).toEqual(['web', 'db']);
  for (const odd of [undefined, null, {}, { [netlabel.endpointNames]: 'web' }]) expect(endpointNames(odd)).toEqual([]);
});
