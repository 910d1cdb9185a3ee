import type { CallOptions, Client, Kind } from '@cleat/protocol/kinds/kind';

/** Sends one request of a kind's and brings the answer in the contract's shape. */
export type Call = (kind: Kind, method: string, request: unknown, options: CallOptions) => Promise<unknown>;

/** A kind as its caller sees it, derived from the contract: one function per method. */
export function proxy<K extends Kind>(kind: K, call: Call): Client<K> {
  const client: Record<string, unknown> = {};
  for (const method of Object.keys(kind.methods)) {
    client[method] = (request: unknown, options: CallOptions = {}) => call(kind, method, request, options);
  }
  // Each member has the signature that Client<K> derives from the same contract; the loop cannot show it.
  return client as Client<K>;
}
