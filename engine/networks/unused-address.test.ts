import { Turns } from '@cleat/protocol/async/turns';
import { systemError } from '@cleat/protocol/errors';
import { expect, test } from 'vitest';
import { takeFreeAddress } from './unused-address.js';

const network = { id: 'n', name: 'n', ipam: { driver: 'd' }, v4: [{ id: 'p', pool: '10.0.0.0/29' }], v6: [] };

/** A driver that hands out these in turn, and a user who chose 10.0.0.2 for a container that does not run. */
function world(
  addresses: string[],
  { again = false, onEmpty = () => {}, promised = ['10.0.0.2'], answers = Promise.resolve() } = {},
) {
  const taken = new Set<string>();
  const ipam = {
    async RequestAddress({ Address }: { Address: string }) {
      await answers;
      const address = Address || addresses.find((one) => again || !taken.has(one)) || '';
      if (taken.has(address) && !again) throw systemError('Address already in use');
      if (!address) {
        onEmpty();
        throw systemError('no available addresses');
      }
      taken.add(address);
      return { Address: `${address}/29` };
    },
  };
  const context = {
    choosing: new Turns(),
    containers: { promised: () => promised },
    drivers: { ipam: async () => ipam },
    outbox: {
      holdPool: () => {},
      async send([{ calls }]: [{ calls: { request: { Address: string } }[] }]) {
        for (const { request } of calls) taken.delete(request.Address);
      },
    },
    userOf: () => '',
  } as never;
  const take = async (address: string, calls = {}) =>
    (await takeFreeAddress(context, network as never, { six: false, address, options: {}, calls })).address;
  return { take, taken };
}

test('a container gets the address that was chosen for it while another one is passing it over', async () => {
  const { take, taken } = world(['10.0.0.2', '10.0.0.3']);
  expect(await Promise.all([take(''), take('10.0.0.2')])).toEqual(['10.0.0.3/29', '10.0.0.2/29']);
  expect([...taken].sort()).toEqual(['10.0.0.2', '10.0.0.3']);
});

test.each([
  ['nothing else is left', false],
  ['the driver gives the same again', true],
])('an address that is in use is not given back: %s', async (_, again) => {
  const { take, taken } = world(['10.0.0.2'], { again });
  expect(await take('')).toBe('10.0.0.2/29');
  expect([...taken]).toEqual(['10.0.0.2']);
});

test('a start that is stopped does not wait for another one, whose driver hangs', async () => {
  const { take, taken } = world(['10.0.0.3'], { promised: ['no address', '10.0.0.2'], answers: new Promise(() => {}) });
  void take('');
  const stopped = new AbortController();
  const second = take('', { signal: stopped.signal });
  stopped.abort();
  await expect(second).rejects.toThrow('the start was stopped');
  expect([...taken]).toEqual([]);
});

test('nothing is kept for a start that is stopped meanwhile', async () => {
  const stopped = new AbortController();
  const { take, taken } = world(['10.0.0.2'], { onEmpty: () => stopped.abort() });
  await expect(take('', { signal: stopped.signal })).rejects.toThrow('the start was stopped');
  await expect.poll(() => [...taken]).toEqual([]);
});
