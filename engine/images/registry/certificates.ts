import { readdirSync, readFileSync } from 'node:fs';
import { Agent, type AgentOptions } from 'node:https';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { systemError } from '@cleat/protocol/errors';

/** Where dockerd, too, looks for `<registry>/{*.crt,*.cert,*.key}`. */
const directories = ['/etc/docker/certs.d'];

const agents = new Map<string, Agent | undefined>();

/**
 * The agent for a registry whose operator has put authorities (`*.crt`) or a client certificate (`x.cert`, `x.key`)
 * for it on this host; undefined when there is none. Read once per registry.
 * @param host with its port, as in the reference
 * @throws System for a certificate without its key
 */
export function agentFor(
  host: string,
  options: AgentOptions,
  roots: readonly string[] = directories,
): Agent | undefined {
  const key = `${host} ${options.rejectUnauthorized !== false}`;
  if (!agents.has(key)) {
    const own = certificatesOf(host, roots);
    agents.set(key, own && new Agent({ ...options, ...own }));
  }
  return agents.get(key);
}

function certificatesOf(host: string, roots: readonly string[]): AgentOptions | undefined {
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
