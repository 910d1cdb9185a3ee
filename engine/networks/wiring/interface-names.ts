import { conflict } from '@cleat/protocol/errors';
import type { EndpointRecord, SandboxRecord } from '../record.js';

/* Names of interfaces in a container: each is one network's. */

/** @param exact the very name; empty: the first one that is free, beginning with `prefix` */
export function freeName(sandbox: SandboxRecord, endpoint: EndpointRecord, exact: string, prefix: string): string {
  refuseTaken(sandbox, endpoint, exact);
  if (exact) return exact;
  const used = usedNames(sandbox, endpoint);
  let number = 0;
  while (used.has(`${prefix}${number}`)) number++;
  return `${prefix}${number}`;
}

/** @throws Conflict where another interface has that name: it must neither be renamed nor be taken out */
export function refuseTaken(sandbox: SandboxRecord, endpoint: EndpointRecord, name: string): void {
  if (isTaken(sandbox, endpoint, name))
    throw conflict(`the interface name ${name} is taken in the container: choose another one`);
}

export const isTaken = (sandbox: SandboxRecord, endpoint: EndpointRecord, name: string): boolean =>
  name === 'lo' || usedNames(sandbox, endpoint).has(name);

const usedNames = (sandbox: SandboxRecord, endpoint: EndpointRecord): Set<string> =>
  new Set(sandbox.endpoints.flatMap((other) => (other === endpoint || !other.dstName ? [] : [other.dstName])));
