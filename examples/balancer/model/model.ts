import type { Check, Spread, ToBackend } from '../labels/wish.js';

/** The names and paths to serve, whichever program serves them. It is in a fixed order: the same containers make the same text. */
export interface Model {
  /** By name: exact ones first, then wildcards with the longest first; the one for any name comes last. */
  readonly sites: readonly Site[];
  /** TLS that is passed through. */
  readonly passed: readonly PassedSite[];
}

export interface Site {
  /** `shop.example.com`, `*.example.com`, or empty: any name. */
  readonly host: string;
  /** undefined: plain HTTP only. */
  readonly tls: { readonly certificate: string; readonly only: boolean } | undefined;
  /** The longest path first. */
  readonly routes: readonly Route[];
}

export interface Route {
  /** `/shop`; empty: all. */
  readonly path: string;
  readonly rewrite: boolean;
  /** Paths below which connections may be idle for long. */
  readonly websockets: readonly string[];
  readonly pool: Pool;
}

export interface PassedSite {
  readonly host: string;
  readonly pool: Pool;
}

export interface Pool {
  readonly spread: Spread;
  readonly toBackend: ToBackend;
  readonly check: Check;
  /** Without any, requests are answered with 503. */
  readonly servers: readonly Server[];
}

export interface Server {
  /** The container's ID, 64 hexadecimal digits. */
  readonly id: string;
  readonly address: Address;
}

export interface Address {
  readonly ip: string;
  readonly port: number;
}

/** As both programs write it. */
export const addressText = ({ ip, port }: Address): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

/** The settings of the balancer that both programs need. */
export interface Listening {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
  readonly tlsPort: number | undefined;
  /** Connections at once. */
  readonly maxConnections: number;
  readonly connectMs: number;
  readonly serverMs: number;
  readonly clientMs: number;
  /** After a reload, what is still under way is given so long. */
  readonly drainMs: number;
  /** Verifies backends, PEM. */
  readonly authorities: string;
  /** The user of the workers, when the balancer is root. */
  readonly user: string | undefined;
}
