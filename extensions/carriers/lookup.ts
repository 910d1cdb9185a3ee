import { type LookupAddress, type LookupOptions, lookup as lookUp } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Semaphore } from '@cleat/protocol/async/semaphore';

/**
 * getaddrinfo(3) holds one of the process's few threads for as long as name servers are silent, and others need those
 * for files and compression: names of plugins' hosts get two of them at most.
 */
const turns = new Semaphore(2);
const pending = new Map<string, Promise<LookupAddress[]>>();

/** Finds a host's addresses; who asks for the same one meanwhile waits for the same answer. */
export const lookup: LookupFunction = (host, options, callback) => {
  const key = `${host} ${String(options.family ?? 0)} ${options.hints ?? 0}`;
  let found = pending.get(key);
  if (!found) {
    found = find(host, options).finally(() => pending.delete(key));
    pending.set(key, found);
  }
  found.then(
    (addresses) => {
      const [first] = addresses;
      if (options.all || !first) callback(null, addresses);
      else callback(null, first.address, first.family);
    },
    (error: NodeJS.ErrnoException) => callback(error, []),
  );
};

async function find(host: string, options: LookupOptions): Promise<LookupAddress[]> {
  const done = await turns.take();
  try {
    return await new Promise<LookupAddress[]>((resolve, reject) => {
      lookUp(host, { ...options, all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
    });
  } finally {
    done();
  }
}
