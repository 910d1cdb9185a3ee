import type { PortBinding } from '@cleat/protocol/kinds/network';
import type { EndpointRecord, RequestedEndpoint, SandboxRecord } from './record.js';

/** A sandbox's record as any version of the engine wrote it: what was requested had another name in the first. */
export type StoredSandbox = SandboxRecord | SandboxV1;

interface SandboxV1 extends Omit<SandboxRecord, 'v' | 'endpoints' | 'requestedPorts'> {
  v: 1;
  endpoints: EndpointV1[];
  wishedPorts: PortBinding[];
}

interface EndpointV1 extends Omit<EndpointRecord, 'requested'> {
  wished: RequestedEndpoint;
}

/** The record in its present form. */
export function currentSandbox(stored: StoredSandbox): SandboxRecord {
  if (stored.v === 2) return stored;
  const { wishedPorts: requestedPorts, endpoints, ...same } = stored;
  const current = endpoints.map(({ wished: requested, ...rest }): EndpointRecord => ({ ...rest, requested }));
  return { ...same, v: 2, endpoints: current, requestedPorts };
}
