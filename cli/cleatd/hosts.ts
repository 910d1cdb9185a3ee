import { type Address, isLoopback, parseAddress } from '@cleat/api/listeners/address';
import { messageOf } from '@cleat/protocol/errors';
import { UsageError } from './options/parse.js';

export { isLoopback };

/** Where the API is to be served, with its address written out in full. */
export type Host = Address & { text: string };

export const defaultSocket = '/run/docker.sock';

/** @param tls decides the default port. @throws UsageError */
export function parseHost(value: string, tls: boolean): Host {
  const text = value.trim();
  let address: Address;
  try {
    address = parseAddress(text === 'unix://' ? `unix://${defaultSocket}` : text, tls);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  switch (address.kind) {
    case 'unix':
      return unix(address.path);
    case 'tcp':
      return {
        ...address,
        text: `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`,
      };
    case 'fd':
      return { ...address, text: `fd://${address.name}` };
  }
}

function unix(path: string): Host {
  const absolute = path.startsWith('/') ? path : `/${path}`;
  // sun_path holds 108 bytes with the final NUL; longer ones are cut silently by some systems.
  if (Buffer.byteLength(absolute) > 107) {
    throw new UsageError(`invalid bind address (unix://${path}): the path of a UNIX socket has at most 107 bytes`);
  }
  return { kind: 'unix', path: absolute, text: `unix://${absolute}` };
}

/** For extensions that ask the engine: where its API is on this host. Empty where it has no socket of its own. */
export function apiVariables(hosts: readonly Host[]): Record<string, string> {
  return { apiAddress: hosts.find(({ kind }) => kind === 'unix')?.text ?? '' };
}
