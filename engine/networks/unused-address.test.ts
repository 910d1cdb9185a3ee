import { Turns } from '@cleat/protocol/async/turns';
import { systemError } from '@cleat/protocol/errors';
import { expect, test } from 'vitest';
import { takeFreeAddress } from './unused-address.js';

const network = { id: 'n', name: 'n', ipam: { driver: 'd' }, v4: [{ id: 'p', pool: '10.0.0.0/29' }], v6: [] };

test('a container gets the address that was chosen for it while another one is passing it over', async () => {
  const taken = new Set<string>();
  const ipam = {
    async RequestAddress({ Address }: { Address: string }) {
      const address = Address || ['10.0.0.2', '10.0.0.3'].find((one) => !taken.has(one)) || '';
      if (taken.has(address)) throw systemError('Address already in use');
      taken.add(address);
      return { Address: `${address}/29` };
    },
  };
  const context = {
    choosing: new Turns(),
    containers: { promised: () => ['10.0.0.2'] },
    drivers: { ipam: async () => ipam },
    outbox: {
      holdPool: () => {},
      async send([{ calls }]: [{ calls: { request: { Address: string } }[] }]) {
        for (const { request } of calls) taken.delete(request.Address);
      },
    },
    userOf: () => '',
  } as never;
  const take = (address: string) =>
    takeFreeAddress(context, network as never, { six: false, address, options: {}, calls: {} });
  const [any, chosen] = await Promise.all([take(''), take('10.0.0.2')]);
  expect([any.address, chosen.address]).toEqual(['10.0.0.3/29', '10.0.0.2/29']);
});
