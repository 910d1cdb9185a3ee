import { readdirSync, readFileSync } from 'node:fs';
import type { AgentOptions } from 'node:https';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { systemError } from '@cleat/protocol/errors';

/** Where dockerd, too, looks for `<registry>/{*.crt,*.cert,*.key}`. */
const directories = ['/etc/docker/certs.d'];

/**
 * The authorities (`*.crt`) and the client certificate (`x.cert`, `x.key`) that the operator has put on this host for a
 * registry; undefined when there is none.
 * @param host with its port, as in the reference
 * @throws System for a certificate without its key
 */
export function certificatesFor(host: string, roots: readonly string[] = directories): AgentOptions | undefined {
  const ca: string[] = [];
  let client: Pick<AgentOptions, 'cert' | 'key'> = {};
  for (const root of roots) {
    const directory = join(root, host);
    for (const name of namesIn(directory)) {
      if (name.endsWith('.crt')) ca.push(readFileSync(join(directory, name), 'utf8'));
      if (!name.endsWith('.cert')) continue;
      const key = name.replace(/\.cert$/, '.key');
      if (!namesIn(directory).includes(key)) throw systemError(`missing key ${key} for client certificate ${name}`);
      client = { cert: readFileSync(join(directory, name)), key: readFileSync(join(directory, key)) };
    }
  }
  if (ca.length === 0 && !client.cert) return undefined;
  // Those beside the well-known ones, as in Docker, not instead of them.
  return { ...client, ...(ca.length > 0 && { ca: [...rootCertificates, ...ca] }) };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // The usual case: nobody put anything there for this registry.
    return [];
  }
}
