import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { silentLogger } from '@cleat/protocol/log';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openExtensions } from '../index.js';

let directory: string;
let port: number;
let close: () => void;

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-tls-');
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, '-days', '2', ...subject], {
    stdio: 'ignore',
  });
  const identity = { key: readFileSync(key), cert: readFileSync(cert) };
  // Asks for a certificate of the client's, too, which only the right .json brings.
  const server = createServer({ ...identity, ca: identity.cert, requestCert: true }, (request, response) => {
    request.resume();
    response.end(request.url === '/Plugin.Activate' ? '{"Implements":["VolumeDriver"]}' : '{"Mountpoint":"/tls"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  close = () => server.close();
});
afterAll(() => {
  close();
  rmSync(directory, { recursive: true });
});

test('a .json with TLS: client and server prove who they are', async () => {
  const file = (name: string) => join(directory, name);
  const files = { CertFile: file('cert.pem'), KeyFile: file('key.pem') };
  const describe = (name: string, TLSConfig: object) =>
    writeFileSync(file(`${name}.json`), JSON.stringify({ Addr: `https://127.0.0.1:${port}`, TLSConfig }));
  describe('good', { CAFile: file('cert.pem'), ...files });
  describe('unverified', { InsecureSkipVerify: true, ...files });
  describe('stranger', { CAFile: file('cert.pem') });
  writeFileSync(file('system.spec'), `https://127.0.0.1:${port}`);
  const extensions = openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [directory],
    dataRoot: directory,
    execRoot: directory,
    hostPath: '',
    log: silentLogger,
  });
  for (const name of ['good', 'unverified']) {
    const driver = await extensions.get(volumeKind, name);
    expect(await driver.Path({ Name: 'v' })).toEqual({ Mountpoint: '/tls' });
  }
  const refused = (message: RegExp) => ({ class: 'Unavailable', message: expect.stringMatching(message) });
  await expect(extensions.get(volumeKind, 'stranger')).rejects.toMatchObject(refused(/connection to .* broke/));
  await expect(extensions.get(volumeKind, 'system')).rejects.toMatchObject(refused(/self-signed certificate/));
  await extensions.close();
});
