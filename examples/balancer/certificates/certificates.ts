import { createPrivateKey, X509Certificate } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import type { Wish } from '../labels/wish.js';
import { tagOf } from '../proxies/tag.js';

export interface CertificateSettings {
  /** Where the operator keeps them, PEM; undefined: there are none. */
  readonly source: string | undefined;
  /** A file for hosts that have none of their own. */
  readonly fallback: string | undefined;
  /** The balancer's own, where each is written together with its key. */
  readonly directory: string;
}

/** More than any chain has. */
const largestFile = 1 << 20;

/**
 * Certificates by host: those that a label names, else `HOST.pem` with the key in it, or `HOST.crt` and `HOST.key`, else
 * the fallback. Each is tried before nginx or HAProxy sees it, since these end with all hosts for one that is wrong.
 */
export class Certificates {
  readonly #settings: CertificateSettings;

  constructor(settings: CertificateSettings) {
    this.#settings = settings;
  }

  /** @returns the path of a file that is never changed: another certificate has another one */
  find(host: string, { tls }: Wish): { path: string } | { fault: string } {
    try {
      const files = this.#filesOf(host, tls.certificate, tls.key);
      if (files === undefined) return { fault: `there is no certificate for ${host}` };
      return { path: this.#keep(files.map(read).join('\n')) };
    } catch (error) {
      return { fault: `the certificate for ${host} cannot be used: ${messageOf(error)}` };
    }
  }

  #filesOf(host: string, certificate: string | undefined, key: string | undefined): string[] | undefined {
    const { source, fallback } = this.#settings;
    const own = (name: string) => (source === undefined ? undefined : join(source, name));
    if (certificate !== undefined) return [own(certificate), key === undefined ? undefined : own(key)].filter(isGiven);
    const name = host.replace('*', '_');
    const pem = own(`${name}.pem`);
    if (pem !== undefined && existsSync(pem)) return [pem];
    const pair = [own(`${name}.crt`), own(`${name}.key`)].filter(isGiven);
    if (pair.length === 2 && pair.every((path) => existsSync(path))) return pair;
    return fallback === undefined ? undefined : [fallback];
  }

  /** @throws Error for what is no certificate with its key */
  #keep(pem: string): string {
    const certificate = new X509Certificate(pem);
    const key = createPrivateKey(pem);
    if (!certificate.checkPrivateKey(key)) throw new Error('the key is another certificate’s');
    const path = join(this.#settings.directory, `certificate-${tagOf(pem)}.pem`);
    if (!existsSync(path)) {
      writeFileSync(`${path}.new`, pem, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    }
    return path;
  }
}

const isGiven = (path: string | undefined): path is string => path !== undefined;

function read(path: string): string {
  const file = openSync(path, 'r');
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > largestFile) throw new Error(`${path} is no certificate`);
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}
