import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { cifsHost } from './cifs.js';
import type { MountOptions } from './volume-options.js';

/** The arguments of mount(8): file systems over the network take addresses, not names. */
export interface MountSource {
  readonly device: string;
  /** The options of `mount -o`; may be empty. */
  readonly data: string;
}

/**
 * Looks up what Docker looks up (moby `daemon/volume/local`): `addr=NAME` of `nfs` and `cifs`, but not of `nfs4`, and
 * without it the server in the device of `cifs`.
 * @throws System
 */
export async function sourceOf(options: MountOptions, addressOf = lookUp): Promise<MountSource> {
  const { MountType, MountOpts: data, MountDevice: device } = options;
  if (!device) throw systemError('missing device in volume options');
  if (MountType !== 'nfs' && MountType !== 'cifs') return { device, data };
  const addr = /(?:^|,)addr=([^,]*)/.exec(data)?.[1];
  if (addr) {
    const address = await resolved(addr, addressOf);
    // Not within `mountaddr=`.
    return { device, data: data.replace(/(^|,)addr=[^,]*/, (_, before: string) => `${before}addr=${address}`) };
  }
  const host = MountType === 'cifs' ? cifsHost(device) : '';
  if (!host) return { device, data };
  const address = await resolved(host, addressOf);
  return { device: device.replace(`//${host}`, () => `//${address}`), data };
}

async function resolved(host: string, addressOf: typeof lookUp): Promise<string> {
  if (isIP(host)) return host;
  try {
    return await addressOf(host);
  } catch (cause) {
    throw systemError(`error resolving passed in network volume address: ${messageOf(cause)}`, { cause });
  }
}

/**
 * A server with addresses of both kinds is asked at that of IPv4, as by Docker: the resolver's order is another one.
 */
async function lookUp(host: string): Promise<string> {
  return (await lookup(host, { order: 'ipv4first' })).address;
}
