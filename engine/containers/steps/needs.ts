import { isClass } from '@cleat/protocol/errors';
import { calledOf, kinds } from '@cleat/protocol/kinds/index';
import { requestedRef } from '../../networks/requested.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { isVolume } from '../state/record.js';
import { sandboxRequest } from './sandbox-request.js';

/** An extension that a container cannot start without. */
export interface Need {
  /** Capability name. */
  readonly kind: string;
  readonly name: string;
}

/** The kinds that say that a container needs them. */
type NeededLabel = Extract<(typeof kinds)[number], { readonly neededToStart: true }>['label'];

export function needText({ kind, name }: Need): string {
  return `${calledOf(kind)} "${name}"`;
}

/** The extensions behind a container's volumes, networks, log and secrets, each once; from the engine's own state. */
export async function needsOf(
  context: Pick<Context, 'config' | 'networks' | 'paths'>,
  container: Container,
): Promise<Need[]> {
  const { mounts, secrets = [] } = container.record;
  const networks = await networkDrivers(context, container);
  const driver = logDriver(context, container);
  const names: Readonly<Record<NeededLabel, readonly (string | undefined)[]>> = {
    volume: mounts.map((mount) => (isVolume(mount) ? mount.driver : undefined)),
    network: networks.map(({ network }) => network),
    ipam: networks.map(({ ipam }) => ipam),
    log: driver === 'none' ? [] : [driver],
    secret: secrets.map(({ provider }) => provider),
  };
  return kinds.flatMap((kind) =>
    kind.neededToStart
      ? [...new Set(names[kind.label])].flatMap((name) => (name === undefined ? [] : [{ kind: kind.name, name }]))
      : [],
  );
}

export function logDriver(context: Pick<Context, 'config'>, { record }: Container): string {
  return record.hostConfig.LogConfig?.Type || context.config.logDriver;
}

interface NetworkDrivers {
  readonly network: string;
  /** Absent for a network without addresses. */
  readonly ipam?: string;
}

async function networkDrivers(
  context: Pick<Context, 'config' | 'networks' | 'paths'>,
  container: Container,
): Promise<NetworkDrivers[]> {
  const { networkMode, endpoints } = sandboxRequest(context, container);
  if (networkMode.startsWith('container:')) return [];
  const requested = Object.entries(endpoints).map(([name, settings]) => requestedRef(name, settings));
  const refs = (requested.length > 0 ? requested : isAlone(networkMode) ? [networkMode] : []).map((ref) =>
    ref === 'default' ? context.networks.defaultNetwork : ref,
  );
  return (await Promise.all(refs.map((ref) => driversOf(context, ref)))).flat();
}

const isAlone = (mode: string): boolean => mode === 'host' || mode === 'none';

async function driversOf(context: Pick<Context, 'config' | 'networks'>, ref: string): Promise<NetworkDrivers[]> {
  try {
    const { Driver, IPAM } = await context.networks.inspect(ref);
    return [{ network: Driver, ...(IPAM.Config && { ipam: IPAM.Driver }) }];
  } catch (error) {
    if (!isClass(error, 'NotFound')) throw error;
    // The start will tell of a network that is gone. The default one is made as soon as its drivers are there.
    if (ref !== context.networks.defaultNetwork) return [];
    return [{ network: context.config.defaultNetworkDriver, ipam: context.config.defaultIpamDriver }];
  }
}
