import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Etcd } from './etcd.js';
import { FakeEtcd } from './fake-etcd.fixture.js';
import type { Tls } from './gateway.js';

let directory: string;
let etcd: FakeEtcd;
const file = (name: string): string => join(directory, name);

/** A certificate that the CA signed, or the CA's own. */
function certificate(name: string, extension: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  const subject = ['-subj', `/CN=${name}`];
  if (!extension) {
    openssl('req', '-x509', ...key, '-out', `${name}.pem`, '-days', '2', ...subject);
    return;
  }
  openssl('req', ...key, '-out', `${name}.csr`, ...subject);
  writeFileSync(file(`${name}.ext`), extension);
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`, ...signed);
}

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-overlay-');
  certificate('ca', '');
  certificate('etcd', 'subjectAltName=IP:127.0.0.1');
  certificate('host', 'extendedKeyUsage=clientAuth');
  const text = (name: string) => readFileSync(file(name));
  etcd = await FakeEtcd.start({
    key: text('etcd.key'),
    cert: text('etcd.pem'),
    ca: text('ca.pem'),
    requestCert: true,
    rejectUnauthorized: true,
  });
});
afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

test('an etcd that speaks TLS is asked with a certificate, and must show one of the CA', async () => {
  const text = (name: string) => readFileSync(file(name), 'utf8');
  const [ca, own] = [text('ca.pem'), { cert: text('host.pem'), key: text('host.key') }];
  const ask = async (tls: Tls) => {
    const client = new Etcd([etcd.url], tls, 20_000);
    try {
      return await client.grant(5);
    } finally {
      client.close();
    }
  };
  expect(await ask({ ca, ...own })).toBe('1');
  await expect(ask(own)).rejects.toThrow(/etcd does not answer .*certificate/);
  await expect(ask({ ca })).rejects.toThrow('etcd does not answer');
  expect(etcd.leases).toEqual(['1']);
});
