import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { startForTest } from '@cleat/sdk/testing';
import { expect, test } from 'vitest';
import module from './main.js';

const request = { AddressSpace: 'null', Pool: '', SubPool: '', Options: null, V6: false };

test.each(['in-process', 'socket'] as const)('ipam-null, %s: everything, and nothing of it', async (carrier) => {
  await using extension = await startForTest(module, { name: 'null', carrier });
  const driver = extension.client(ipamKind);
  expect(await driver.GetDefaultAddressSpaces({})).toEqual({
    LocalDefaultAddressSpace: 'null',
    GlobalDefaultAddressSpace: 'null',
  });
  const four = { PoolID: 'null/0.0.0.0/0', Pool: '0.0.0.0/0', Data: {} };
  expect(await driver.RequestPool(request)).toEqual(four);
  // For another network: nothing is taken.
  expect(await driver.RequestPool(request)).toEqual(four);
  expect(await driver.RequestPool({ ...request, V6: true })).toMatchObject({ PoolID: 'null/::/0', Pool: '::/0' });
  const { PoolID } = four;
  expect(await driver.RequestAddress({ PoolID, Address: '', Options: null })).toEqual({ Address: '', Data: {} });
  await driver.ReleaseAddress({ PoolID, Address: '10.0.0.1' });
  await driver.ReleasePool({ PoolID });
});

test('a subnet or an address that somebody asks for is refused', async () => {
  await using extension = await startForTest(module, { name: 'null', carrier: 'in-process' });
  const driver = extension.client(ipamKind);
  const refused = (message: string) =>
    expect.objectContaining({ class: 'InvalidParameter', message: expect.stringContaining(message) });
  await expect(driver.RequestPool({ ...request, Pool: '10.0.0.0/8' })).rejects.toEqual(
    refused('null ipam driver does not handle specific address pool requests'),
  );
  await expect(driver.RequestPool({ ...request, SubPool: '10.0.0.0/24' })).rejects.toEqual(
    refused('null ipam driver does not handle specific address subpool requests'),
  );
  await expect(driver.RequestPool({ ...request, AddressSpace: 'default' })).rejects.toEqual(
    refused('unknown address space: default'),
  );
  const known = { PoolID: 'null/0.0.0.0/0', Options: null };
  await expect(driver.RequestAddress({ ...known, Address: '10.0.0.1' })).rejects.toEqual(
    refused('null ipam driver does not handle specific address requests'),
  );
  await expect(driver.RequestAddress({ PoolID: 'x', Address: '', Options: null })).rejects.toEqual(
    refused('unknown pool id: x'),
  );
  await expect(driver.ReleaseAddress({ PoolID: 'x', Address: '' })).rejects.toEqual(refused('unknown pool id: x'));
});
