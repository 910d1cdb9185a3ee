import { isRecord } from '@cleat/protocol/json';
import { tryParseAddress } from '@cleat/sdk/addresses';

/*
 * Values that other hosts wrote. They become commands of `ip`, `bridge` and `wg`, so they are looked at before: one that
 * is odd counts as absent, and spoils no other.
 */

/** An address that a container has, as all hosts see it. */
export interface SharedClaim {
  host: string;
  /** The engine's ID of the endpoint, where it says it. */
  holder: string;
  container: string;
  mac: string;
  /** By which it is found on its network. Absent: its engine tells none. */
  names?: string[] | undefined;
}

/** A host, as the others see it. */
export interface SharedHost {
  name: string;
  /** On the underlay. */
  address: string;
  /** Absent: it has no encrypted network. */
  wireguard?: { publicKey: string; port: number };
}

export function readClaim(text: string): SharedClaim | undefined {
  const { host, holder, container, mac, names } = record(text);
  if (!isText(host) || !isText(holder) || !isText(container) || !isText(mac)) return undefined;
  if (!/^([\da-f]{2}:){5}[\da-f]{2}$/.test(mac)) return undefined;
  if (names === undefined) return { host, holder, container, mac };
  return Array.isArray(names) && names.every(isText) ? { host, holder, container, mac, names } : undefined;
}

export function readHost(text: string): SharedHost | undefined {
  const { name, address, wireguard } = record(text);
  if (!isText(name) || !isText(address) || !tryParseAddress(address)) return undefined;
  if (wireguard === undefined) return { name, address };
  if (!isRecord(wireguard)) return undefined;
  const { publicKey, port } = wireguard;
  if (!isText(publicKey) || !/^[A-Za-z\d+/]{43}=$/.test(publicKey)) return undefined;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  return { name, address, wireguard: { publicKey, port } };
}

const isText = (value: unknown): value is string => typeof value === 'string';

function record(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {}; // It has none of the members, then.
  }
}
