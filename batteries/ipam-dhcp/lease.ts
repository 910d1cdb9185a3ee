import { forever } from './answers.js';

/** An address that a DHCP server gave to a container, as it is kept on disk. */
export interface Lease {
  readonly v: 1;
  readonly pool: string;
  /** The interface of this host on which the server is asked. */
  readonly link: string;
  readonly subnet: string;
  readonly address: string;
  readonly mac: string;
  /** The container's name for the server; may be empty. */
  readonly hostName: string;
  /** For whom the engine asked; empty: it did not say. */
  readonly holder: string;
  readonly server: string;
  readonly serverMac: string;
  /** ms since the epoch. */
  readonly since: number;
  /** From then on, in seconds. */
  readonly seconds: number;
  readonly renewAfter: number;
  readonly rebindAfter: number;
  /** The server took the address back, or let it end: the container has it without leave. */
  readonly lost?: true;
}

/**
 * Where a lease is in its life (RFC 2131, 4.4.5). `renewing`: its server is asked for more. `rebinding`: any server is.
 * `expired`: the address may be another's by now. `lost`: that has been told, and it is asked for anew.
 */
export type Phase = 'bound' | 'renewing' | 'rebinding' | 'expired' | 'lost';

/** @param now ms since the epoch */
export function phaseOf(lease: Lease, now: number): Phase {
  if (lease.lost) return 'lost';
  if (lease.seconds === forever) return 'bound';
  const age = (now - lease.since) / 1000;
  if (age >= lease.seconds) return 'expired';
  if (age >= lease.rebindAfter) return 'rebinding';
  return age >= lease.renewAfter ? 'renewing' : 'bound';
}

/** Pauses between attempts, in ms. The first two are RFC 2131's, and shorter for leases that are shorter. */
const pause = { longest: 60_000, least: 1_000, lost: 10_000, lostLongest: 300_000 };

/**
 * When something is to be done for a lease, in ms since the epoch; undefined: never.
 * @param attempts how many there were in this phase, the last of which ended at `attempted`
 */
export function dueAt(lease: Lease, attempted: number, attempts: number): number | undefined {
  const { seconds, since, renewAfter, rebindAfter } = lease;
  if (lease.lost) {
    return attempts === 0 ? attempted : attempted + Math.min(pause.lost * 2 ** (attempts - 1), pause.lostLongest);
  }
  if (seconds === forever) return undefined;
  const [renewAt, rebindAt, endAt] = [renewAfter, rebindAfter, seconds].map((after) => since + after * 1000) as [
    number,
    number,
    number,
  ];
  if (attempted < renewAt) return renewAt;
  // Half of the time that is left, but no more often than once a minute; at last when the phase ends.
  const until = attempted < rebindAt ? rebindAt : endAt;
  const least = Math.max(pause.least, Math.min(pause.longest, seconds * 50));
  return Math.min(attempted + Math.max((until - attempted) / 2, least), until);
}

/**
 * The lease as it is after a start: a clock that went back meanwhile does not make it longer.
 * @param now ms since the epoch
 */
export const onClock = (lease: Lease, now: number): Lease =>
  lease.since <= now ? lease : { ...lease, since: now - lease.renewAfter * 1000 };
