import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

export interface Certificates {
  /** `tcp://127.0.0.1:PORT` with a port that is free. */
  readonly host: string;
  /** Flags of cleatd that make it verify its clients. */
  readonly daemonFlags: readonly string[];
  /** Path of a file of one's: `key`, `cert`, or `cacert` (the CA that everybody trusts). */
  file(who: string, what: 'key' | 'cert' | 'cacert'): string;
  /** Flags of docker's for a client, without `--tlsverify`. */
  clientFlags(who: string): string[];
}

/** A CA in a new directory below `base`, with certificates of a server and of clients, whose names are their users. */
export async function makeCertificates(base: string, clients: readonly string[]): Promise<Certificates> {
  const directory = await mkdtemp(join(base, 'tls-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca-key.pem', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test CA');
  for (const name of ['server', ...clients]) {
    const extension =
      name === 'server'
        ? 'subjectAltName=IP:127.0.0.1'
        : `extendedKeyUsage=clientAuth\nsubjectAltName=DNS:${name}.test,URI:urn:user:${name}`;
    openssl('req', ...key, '-keyout', `${name}-key.pem`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(join(directory, `${name}.ext`), extension);
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}-cert.pem`, '-extfile', `${name}.ext`, ...signed);
    copyFileSync(join(directory, 'ca.pem'), join(directory, `${name}-cacert.pem`));
  }
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const host = `tcp://127.0.0.1:${address.port}`;
  const file = (who: string, what: string): string => join(directory, `${who}-${what}.pem`);
  const flags = (who: string): string[] => ['cacert', 'cert', 'key'].map((what) => `--tls${what}=${file(who, what)}`);
  return { host, daemonFlags: ['-H', host, '--tlsverify', ...flags('server')], file, clientFlags: flags };
}
