import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Authorizer, parseChallenge } from './auth.js';
import { certificatesFor } from './certificates.js';
import { endpointsOf, isInsecure } from './endpoint.js';
import { defaultReach, Transport } from './transport.js';

const { signal } = new AbortController();
const secure = { base: new URL('https://registry.example'), insecure: false, mirror: false };
const credentials = { username: 'u', password: 'p' };

/** Addresses of this host's interfaces: also those that are not loopback. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ address }) => !address.startsWith('fe80'))
    .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address));
}

test.each([
  ['http://registry.example/token', 'without TLS'],
  ['https://169.254.169.254/token', 'refusing to follow the server'],
  ['https://[::ffff:169.254.169.254]/token', 'refusing to follow the server'],
  ['https://localhost/token', 'refusing to follow the server'],
  ['https://127.1.2.3/token', 'refusing to follow the server'],
  ['https://0.0.0.0/token', 'refusing to follow the server'],
  ['https://[::1]/token', 'refusing to follow the server'],
  ['https://[::]/token', 'refusing to follow the server'],
  ['https://[64:ff9b::a9fe:a9fe]/token', 'refusing to follow the server'],
  ['https://2130706433/token', 'refusing to follow the server'],
  ...ownAddresses().map((address) => [`https://${address}/token`, 'refusing to follow the server']),
  ['https://x:y@registry.example/token', 'with credentials in it'],
  ['nonsense', 'no valid token server'],
])('credentials are not sent to the token server %s', async (realm, message) => {
  using transport = new Transport(secure, defaultReach);
  const authorizer = new Authorizer(transport, 'repository:x:pull', credentials);
  const challenge = parseChallenge(`Bearer realm="${realm}",service="s"`);
  await expect(authorizer.renew(challenge, signal)).rejects.toThrow(message);
});

test('a mirror needs no certificate where the operator says so of its host', async () => {
  const registryMirrors = ['https://mirror.test:5000', 'https://other.test', 'http://127.0.0.1:1'];
  const found = await endpointsOf('docker.io', { registryMirrors, insecureRegistries: ['mirror.test:5000'] });
  expect(found.map(({ insecure }) => insecure)).toEqual([true, false, true, false]);
});

test('which registries need no certificate', async () => {
  expect(await isInsecure('127.0.0.1:5000', [])).toBe(true);
  expect(await isInsecure('localhost', [])).toBe(true);
  expect(await isInsecure('[::1]:5000', [])).toBe(true);
  expect(await isInsecure('10.1.2.3:5000', [])).toBe(false);
  expect(await isInsecure('10.1.2.3:5000', ['10.0.0.0/8'])).toBe(true);
  expect(await isInsecure('reg.invalid:5000', ['reg.invalid:5000'])).toBe(true);
  expect(await isInsecure('reg.invalid:5001', ['reg.invalid:5000'])).toBe(false);
});

function statusThrough(url: URL, agent: Agent | undefined): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => resolve(response.resume().statusCode)).on('error', reject);
  });
}

test('a certificate of an unknown authority is refused, unless the operator gave the authority or said insecure', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-certificates-'));
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...make, ...subject, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (_, response) => {
    response.end('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const url = new URL(`https://${host}/`);
    const attempt = async (insecure: boolean) => {
      using transport = new Transport({ base: url, insecure, mirror: false }, defaultReach);
      const answer = await transport.send({ method: 'GET', url, signal });
      answer.drop();
      return answer.status;
    };
    await expect(attempt(false)).rejects.toMatchObject({
      class: 'System',
      message: `Get "${url}": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    });
    expect(await attempt(true)).toBe(200);
    mkdirSync(join(directory, 'registry.invalid'));
    writeFileSync(join(directory, 'registry.invalid', 'ca.crt'), readFileSync(certificate));
    const agent = new Agent(certificatesFor('registry.invalid', [directory]));
    expect(await statusThrough(url, agent)).toBe(200);
    agent.destroy();
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
