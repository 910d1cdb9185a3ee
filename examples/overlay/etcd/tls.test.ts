import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ipamKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import overlay from '../overlay.js';
import { FakeEtcd } from './fake-etcd.fixture.js';

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

const started = (more: Record<string, string>) =>
  startForTest(overlay, {
    name: 'overlay',
    carrier: 'in-process',
    options: { address: '127.0.0.1', etcd: etcd.url, root: file('root'), prefix: 'wtls', ...more },
  });
const request = { AddressSpace: 'overlay', Pool: '10.9.0.0/24', SubPool: '', Options: { name: 'shop' }, V6: false };

test('an etcd that speaks TLS is asked with a certificate, and must show one of the CA', async () => {
  const own = { 'etcd-cert': file('host.pem'), 'etcd-key': file('host.key') };
  {
    await using plugin = await started({ ...own, 'etcd-ca': file('ca.pem') });
    expect(await plugin.client(ipamKind).RequestPool(request)).toMatchObject({ Pool: '10.9.0.0/24' });
    expect(etcd.get('/cleat/overlay/networks')).toContain('shop');
  }
  for (const [options, why] of [
    [own, /certificate|issuer/],
    [{ 'etcd-ca': file('ca.pem') }, /etcd does not answer/],
  ] as const) {
    await using plugin = await started(options);
    await expect(plugin.client(ipamKind).RequestPool(request)).rejects.toThrow(why);
  }
  await expect(started({ 'etcd-ca': file('none.pem') })).rejects.toThrow('none.pem');
});
