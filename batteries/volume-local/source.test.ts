import { expect, test } from 'vitest';
import { sourceOf } from './source.js';

const addressOf = async (host: string) => {
  if (host !== 'server.example') throw new Error(`getaddrinfo ENOTFOUND ${host}`);
  return '192.0.2.7';
};
const source = (MountType: string, MountDevice: string, MountOpts = '') =>
  sourceOf({ MountType, MountOpts, MountDevice }, addressOf);

test.each([
  ['nfs', ':/export', 'addr=server.example,rw', ':/export', 'addr=192.0.2.7,rw'],
  ['nfs', ':/export', 'rw,addr=server.example', ':/export', 'rw,addr=192.0.2.7'],
  [
    'nfs',
    ':/export',
    'mountaddr=server.example,addr=server.example',
    ':/export',
    'mountaddr=server.example,addr=192.0.2.7',
  ],
  ['nfs', ':/export', 'addr=198.51.100.1', ':/export', 'addr=198.51.100.1'],
  ['nfs', ':/export', 'addr=2001:db8::68', ':/export', 'addr=2001:db8::68'],
  ['nfs', ':/export', 'addr=fe80::1%eth0', ':/export', 'addr=fe80::1%eth0'],
  ['nfs', ':/export', 'addr=', ':/export', 'addr='],
  ['nfs', 'server.example:/export', 'rw', 'server.example:/export', 'rw'],
  ['nfs', '//server.example/export', '', '//server.example/export', ''],
  ['nfs4', ':/export', 'addr=server.example', ':/export', 'addr=server.example'],
  ['cifs', '//server.example/Program Files', '', '//192.0.2.7/Program Files', ''],
  ['cifs', '//server.example/50%+1$&', 'vers=3.0', '//192.0.2.7/50%+1$&', 'vers=3.0'],
  ['cifs', '//198.51.100.1/Program Files', '', '//198.51.100.1/Program Files', ''],
  ['cifs', '//server.example/a', 'addr=server.example', '//server.example/a', 'addr=192.0.2.7'],
  // Here Docker looks the server up all the same; with an address it need not be known to anybody.
  ['cifs', '//nobody.example/a', 'addr=198.51.100.1', '//nobody.example/a', 'addr=198.51.100.1'],
  ['cifs', '\\\\server.example\\a', '', '\\\\server.example\\a', ''],
  ['none', '/srv/a', 'bind,addr=server.example', '/srv/a', 'bind,addr=server.example'],
])('%s of %s with "%s"', async (type, device, data, wantedDevice, wantedData) => {
  expect(await source(type, device, data)).toEqual({ device: wantedDevice, data: wantedData });
});

test('a name that cannot be looked up, and no device', async () => {
  const unknown = 'error resolving passed in network volume address: getaddrinfo ENOTFOUND nobody.example';
  await expect(source('nfs', ':/export', 'addr=nobody.example')).rejects.toMatchObject({
    class: 'System',
    message: unknown,
  });
  await expect(source('cifs', '//nobody.example/a')).rejects.toThrow(unknown);
  await expect(source('tmpfs', '')).rejects.toMatchObject({
    class: 'System',
    message: 'missing device in volume options',
  });
});

test('a server with addresses of both kinds is asked at that of IPv4', async () => {
  const { data } = await sourceOf({ MountType: 'nfs', MountDevice: ':/e', MountOpts: 'addr=localhost' });
  expect(data).toBe('addr=127.0.0.1');
});
