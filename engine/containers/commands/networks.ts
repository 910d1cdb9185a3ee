import type { EndpointSettings } from '@cleat/protocol/api/network';
import { isClass, messageOf, notFound, systemError } from '@cleat/protocol/errors';
import { refuseLargeRecord } from '../../store/record-size.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { sandboxRequest } from '../steps/sandbox-request.js';

/**
 * `docker network connect`: at once when it runs, else at its next start. Until then the network may still be made, as
 * under Docker.
 */
export async function connectNetwork(
  context: Pick<Context, 'networks' | 'paths'>,
  container: Container,
  network: string,
  endpoint: EndpointSettings,
): Promise<void> {
  refuseLargeRecord('the container', container.record, endpoint);
  await container.lock.run(async () => {
    container.checkKept();
    const { record } = container;
    const found = networkOf(context, network, !container.running);
    if (!found) {
      record.endpoints[network] = context.networks.connectLater(network, sandboxRequest(context, container), endpoint);
      return container.save();
    }
    const { id, name } = found;
    const running = container.running && record.state.status !== 'restarting';
    const asker = { ...sandboxRequest(context, container), running, pid: record.state.pid };
    const known = requestedFor(container, { id, name });
    // On one that is there already, nothing changes but what is asked for, if anything.
    if (running && known === undefined) {
      record.state.leaving = { id, name };
      container.save();
    }
    try {
      // The requested settings: another start gives another address.
      record.endpoints[name] = await context.networks.connect(id, asker, endpoint);
    } catch (error) {
      if (record.state.leaving) {
        delete record.state.leaving;
        container.note();
      }
      throw error;
    }
    delete record.state.leaving;
    container.save();
  });
}

/** Under which name it asks for a network. */
function requestedFor({ record }: Container, network: { id: string; name: string }): string | undefined {
  return Object.keys(record.endpoints).find((name) => {
    const requested = record.endpoints[name]?.NetworkID;
    return requested ? requested === network.id : name === network.name;
  });
}

/** The name, where a container that does not run asks by it for another network, one that is gone. */
function formerOf(
  context: Pick<Context, 'networks'>,
  { record, running }: Container,
  name: string,
): string | undefined {
  const { NetworkID } = record.endpoints[name] ?? {};
  return !running && NetworkID && !networkOf(context, NetworkID, true) ? name : undefined;
}

/** Ends what the engine before was killed in: a container is on the networks that it asks for, and on no other. */
export async function settleLeaving(context: Pick<Context, 'log' | 'networks'>, container: Container): Promise<void> {
  await container.lock.run(async () => {
    const { record } = container;
    const { leaving } = record.state;
    if (!leaving) return;
    if (container.running) {
      await context.networks.disconnect(leaving.id, container.id).catch((error: unknown) => {
        context.log.debug('a container had not come to a network yet', {
          container: container.id,
          error: messageOf(error),
        });
      });
    }
    const known = requestedFor(container, leaving);
    if (known !== undefined) delete record.endpoints[known];
    delete record.state.leaving;
    container.note();
  });
}

/**
 * `docker network disconnect`. A container that does not run is also taken off a network that is gone, which its next start
 * would look for; so is any with `force`.
 * @throws System `container X is not connected to network Y`, with `force`, too
 */
export async function disconnectNetwork(
  context: Pick<Context, 'networks'>,
  container: Container,
  ref: string,
  force: boolean,
): Promise<void> {
  await container.lock.run(async () => {
    container.checkKept();
    const { endpoints } = container.record;
    const network = networkOf(context, ref, force || !container.running);
    const key = network
      ? (requestedFor(container, network) ?? formerOf(context, container, network.name))
      : Object.keys(endpoints).find((name) => name === ref || endpoints[name]?.NetworkID === ref);
    // A running one is looked at by the networks' room; one that does not run has its list only.
    if ((!network || !container.running) && key === undefined) {
      throw systemError(`container ${container.id} is not connected to the network ${network?.name ?? ref}`);
    }
    const { state } = container.record;
    if (network && container.running) {
      state.leaving = { id: network.id, name: network.name };
      container.save();
    }
    try {
      if (network) await context.networks.disconnect(network.id, container.id);
      if (key !== undefined) delete endpoints[key];
    } finally {
      delete state.leaving;
      container.note();
    }
  });
}

/**
 * With `force` Docker takes away an endpoint that outlived its container. Here none does.
 * @throws NotFound `network X not found`, `endpoint X not found`
 */
export function refuseWithoutContainer(context: Pick<Context, 'networks'>, ref: string, network: string): never {
  context.networks.resolve(network);
  throw notFound(`endpoint ${ref} not found`);
}

/** @returns undefined for one that is gone, where that may be. @throws NotFound */
function networkOf(
  context: Pick<Context, 'networks'>,
  ref: string,
  mayBeGone: boolean,
): ReturnType<Context['networks']['resolve']> | undefined {
  try {
    return context.networks.resolve(ref);
  } catch (error) {
    if (mayBeGone && isClass(error, 'NotFound')) return undefined;
    throw error;
  }
}
