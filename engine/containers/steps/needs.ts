import { isClass } from '@cleat/protocol/errors';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { logKind } from '@cleat/protocol/kinds/log';
import { networkKind } from '@cleat/protocol/kinds/network';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { wishRef } from '../../networks/wishes.js';
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

/** How people call the kinds that containers need. */
const called: Readonly<Record<string, string>> = {
  [volumeKind.name]: 'volume driver',
  [networkKind.name]: 'network driver',
  [ipamKind.name]: 'IPAM driver',
  [logKind.name]: 'log driver',
};

export function needText({ kind, name }: Need): string {
  return `${called[kind] ?? kind} "${name}"`;
}

/** The extensions behind a container's volumes, log and networks, each once; from the engine's own state. */
export async function needsOf(context: Context, container: Container): Promise<Need[]> {
  const { mounts } = container.record;
  const driver = logDriver(context, container);
  const all: Need[] = [
    ...mounts.flatMap((mount) => (isVolume(mount) ? [{ kind: volumeKind.name, name: mount.driver }] : [])),
    ...(driver === 'none' ? [] : [{ kind: logKind.name, name: driver }]),
    ...(await networkNeeds(context, container)),
  ];
  return [...new Map(all.map((need) => [`${need.kind} ${need.name}`, need])).values()];
}

export function logDriver(context: Context, { record }: Container): string {
  return record.hostConfig.LogConfig?.Type || context.config.logDriver;
}

async function networkNeeds(context: Context, container: Container): Promise<Need[]> {
  const { networkMode, endpoints } = sandboxRequest(context, container);
  if (networkMode.startsWith('container:')) return [];
  const wished = Object.entries(endpoints).map(([name, settings]) => wishRef(name, settings));
  const refs = (wished.length > 0 ? wished : isAlone(networkMode) ? [networkMode] : []).map((ref) =>
    ref === 'default' ? context.networks.defaultNetwork : ref,
  );
  return (await Promise.all(refs.map((ref) => driversOf(context, ref)))).flat();
}

const isAlone = (mode: string): boolean => mode === 'host' || mode === 'none';

async function driversOf(context: Context, ref: string): Promise<Need[]> {
  try {
    const { Driver, IPAM } = await context.networks.inspect(ref);
    const network = { kind: networkKind.name, name: Driver };
    return IPAM.Config ? [network, { kind: ipamKind.name, name: IPAM.Driver }] : [network];
  } catch (error) {
    if (!isClass(error, 'NotFound')) throw error;
    // Of a network that is gone the start will tell. The default one is made as soon as its drivers are there.
    if (ref !== context.networks.defaultNetwork) return [];
    const { defaultNetworkDriver, defaultIpamDriver } = context.config;
    return [
      { kind: networkKind.name, name: defaultNetworkDriver },
      { kind: ipamKind.name, name: defaultIpamDriver },
    ];
  }
}
