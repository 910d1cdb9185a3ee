import type { CleatError } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import { RegistryClient } from './client.js';
import { login } from './login.js';
import { fakeRegistry } from './registry.fixture.js';
import type { Registries } from './service.js';

const registries: Registries = {
  config: { registryMirrors: [], insecureRegistries: [], maxConcurrentDownloads: 3 },
  reach: undefined,
  log: silentLogger,
};
const right = `Basic ${Buffer.from('me:secret').toString('base64')}`;
const as = (serveraddress: string, password: string) =>
  login(registries, { username: 'me', password, serveraddress }, AbortSignal.timeout(10_000));
const refusal = (promise: Promise<unknown>) =>
  promise.then(String, (error: CleatError) => [error.class, error.message]);

test('a registry with passwords', async () => {
  await using registry = await fakeRegistry(({ authorization }) =>
    authorization === right ? {} : { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } },
  );
  expect(await as(`http://${registry.host}/v1/`, 'secret')).toEqual({ Status: 'Login Succeeded', IdentityToken: '' });
  const [kind, message] = await refusal(as(registry.host, 'wrong'));
  expect([kind, message]).toEqual([
    'Unauthorized',
    `login attempt to http://${registry.host}/v2/ failed with status: 401 Unauthorized`,
  ]);
});

test('no credentials where some are needed: an error that does not make the CLI ask for a name', async () => {
  await using registry = await fakeRegistry(() => ({
    status: 401,
    headers: { 'www-authenticate': 'Basic realm="x"' },
  }));
  const endpoint = { base: new URL(`http://${registry.host}`), insecure: true, mirror: false };
  const client = new RegistryClient(endpoint, 'b', 'pull', undefined);
  const refused = await refusal(client.manifest('1', AbortSignal.timeout(10_000)));
  expect(refused).toEqual(['System', 'no basic auth credentials']);
});

test('a registry with a token server', async () => {
  await using registry = await fakeRegistry(({ url, authorization }, host) => {
    if (url.startsWith('/token')) return authorization === right ? { body: '{"token":"t"}' } : { status: 401 };
    if (authorization === 'Bearer t') return {};
    return { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${host}/token",service="s"` } };
  });
  expect(await as(registry.host, 'secret')).toMatchObject({ Status: 'Login Succeeded' });
  expect(registry.seen.find(({ url }) => url.startsWith('/token'))?.url).toBe('/token?service=s&account=me');
  expect(await refusal(as(registry.host, 'wrong'))).toMatchObject(['Unauthorized', expect.any(String)]);
});

test.each([
  [' ', 'InvalidParameter', 'unable to parse server address: parse "https:// ": invalid character " " in host name'],
  [
    '1^e',
    'InvalidParameter',
    'unable to parse server address: parse "https://1^e": invalid character "^" in host name',
  ],
  ['http://[::1', 'InvalidParameter', 'unable to parse server address: parse "http://[::1": invalid host'],
  ['vol:x', 'InvalidParameter', 'unable to parse server address: parse "https://vol:x": invalid host'],
  [
    '17644000000000000000',
    'System',
    'Get "https://17644000000000000000/v2/": dial tcp: lookup 17644000000000000000: no such host',
  ],
  ['10.0.0.300:5000', 'System', 'Get "https://10.0.0.300:5000/v2/": dial tcp: lookup 10.0.0.300: no such host'],
  ['localhost:99999', 'System', 'Get "https://localhost:99999/v2/": dial tcp: address 99999: invalid port'],
])('an address that no registry can have: %s', async (address, kind, message) => {
  expect(await refusal(as(address, 'x'))).toEqual([kind, message]);
});

test('credentials that no header can hold are refused in words of ours', async () => {
  await using registry = await fakeRegistry(() => ({}));
  const auth = { registrytoken: 'a\u2028b', serveraddress: registry.host };
  expect(await refusal(login(registries, auth, AbortSignal.timeout(10_000)))).toEqual([
    'System',
    expect.stringContaining('net/http: invalid header field value for "Authorization"'),
  ]);
});
