import { join } from 'node:path';
import { createNamespace, type NamespaceSession } from '@cleat/linux/net/namespace';
import { conflict, forbidden, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { newId } from '../ids.js';
import { announceConnected } from './announce.js';
import { takeDown } from './detach.js';
import { createEndpoint, type Joined, joinEndpoint, newEndpoint } from './endpoint.js';
import { serveNames, tellLinked, writeHostFiles } from './files.js';
import { gatewayEndpoint, joinGateway, needsGateway } from './gateway.js';
import { hostFilePaths } from './hosts.js';
import { linkedWish } from './links.js';
import { openLinks, reopenLinksTo } from './open-links.js';
import { exposedPorts, wishedPorts } from './ports.js';
import { ensureOne } from './predefined.js';
import { publishPorts } from './publish.js';
import type { NetworkRecord, SandboxRecord, Wish } from './record.js';
import { isPredefined } from './resource.js';
import type { NetworkRoom } from './room.js';
import type { Sandbox, SandboxRequest } from './service.js';
import { wire } from './wire.js';
import { checkWishes, wishRef } from './wishes.js';

type Made = Omit<Sandbox, 'endpoints'>;

interface Plan {
  network: NetworkRecord;
  wished: Wish;
  /** What the container calls it. */
  ref: string;
}

/** See {@link import('./service.js').Networks.attach}. */
export function attach(room: NetworkRoom, request: SandboxRequest): Promise<Sandbox> {
  const { containerId } = request;
  const stop = new AbortController();
  const work = doAttach(room, request, stop.signal);
  // Whoever detaches meanwhile stops it and waits for its end: nothing may be made behind the back of a teardown.
  const done = work
    .then(({ ready }) => ready)
    .catch(() => {
      // The caller hears of it.
    })
    .finally(() => {
      if (room.arriving.get(containerId)?.stop === stop) room.arriving.delete(containerId);
    });
  room.arriving.set(containerId, { done, stop });
  return work;
}

async function doAttach(room: NetworkRoom, request: SandboxRequest, signal: AbortSignal): Promise<Sandbox> {
  await room.leaving.get(request.containerId)?.catch(() => {
    // Whoever took it down heard of it; what is left is on the list.
  });
  const former = room.sandbox(request.containerId);
  if (former) await takeDown(room, former);
  const mode = request.networkMode === 'default' ? room.defaultNetwork : request.networkMode;
  if (mode.startsWith('container:')) return joinOther(room, request, mode.slice('container:'.length));
  const plans = await plan(room, request, mode);
  const kinds = new Set(plans.map(({ network }) => network.sandbox));
  if (kinds.size > 1 || (plans.length > 1 && !kinds.has('own'))) {
    throw invalidParameter(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
  const sandbox = newSandbox(room, request, kinds.has('host') ? 'host' : kinds.has('none') ? 'own' : 'path');
  room.stopWith(sandbox, signal);
  const endpoints = settled(request.endpoints, plans);
  const made = await (sandbox.kind === 'path'
    ? withNamespace(room, sandbox, plans)
    : withoutNamespace(room, sandbox, plans));
  return { ...made, endpoints };
}

/** The networks to join, the one of the mode first, as Docker numbers the interfaces. */
async function plan(room: NetworkRoom, request: SandboxRequest, mode: string): Promise<Plan[]> {
  const wishes = Object.entries(request.endpoints);
  // These two are what they are also for one that no list names them for.
  if (wishes.length === 0 && (mode === 'none' || mode === 'host')) wishes.push([mode, {}]);
  const plans: Plan[] = [];
  for (const [ref, wished] of wishes) {
    // Without a default bridge (`--bridge none`) a container that asks for it has no network, as under Docker.
    const isDefault = ref === 'default' || (ref === 'bridge' && room.config.bridge === 'none');
    const network = await wishedNetwork(room, isDefault ? room.defaultNetwork : ref, wished);
    if (network.configOnly) throw forbidden('cannot create endpoint on configuration-only network');
    if (plans.some((other) => other.network === network)) continue;
    checkWishes(network.name, network, wished);
    plans.push({ network, wished: linkedWish(wished, room.idOf), ref });
  }
  const first = room.registry.lookUp(mode);
  const isFirst = ({ network }: Plan) => network === first;
  return plans.sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
}

/** A predefined one may be made only now: its driver may have come since the engine started. @throws NotFound */
async function wishedNetwork(room: NetworkRoom, name: string, wished: Wish): Promise<NetworkRecord> {
  if (isPredefined(name) && !room.registry.byName(name)) await ensureOne(room, name);
  return room.registry.find(wishRef(name, wished));
}

/** The same wishes, with the IDs of the networks: the next start means the same ones, whatever they are called then. */
function settled(endpoints: SandboxRequest['endpoints'], plans: readonly Plan[]): SandboxRequest['endpoints'] {
  const found = new Map(plans.map((plan) => [plan.ref, plan]));
  return Object.fromEntries(
    Object.entries(endpoints).map(([ref, wish]) => {
      const { network, wished = wish } = found.get(ref) ?? {};
      if (!network || isPredefined(network.name)) return [ref, wished];
      return [network.name, { ...wished, NetworkID: network.id }];
    }),
  );
}

function newSandbox(room: NetworkRoom, request: SandboxRequest, kind: SandboxRecord['kind']): SandboxRecord {
  const sandboxId = newId();
  return {
    v: 1,
    containerId: request.containerId,
    containerName: request.containerName.replace(/^\//, ''),
    hostname: request.hostname,
    domainname: request.domainname,
    sandboxId,
    kind,
    path: kind === 'path' ? join(room.config.execRoot, 'netns', sandboxId.slice(0, 12)) : '',
    ownerId: '',
    directory: request.directory,
    endpoints: [],
    exposedPorts: [...new Set(exposedPorts([...request.exposedPorts, ...Object.keys(request.portBindings)]))],
    wishedPorts: wishedPorts(request.portBindings, exposedPorts(request.exposedPorts), request.publishAllPorts),
    dns: request.dns,
    dnsSearch: request.dnsSearch,
    dnsOptions: request.dnsOptions,
    extraHosts: request.extraHosts,
    linked: request.links.map(({ containerId, alias }) => ({ containerId, alias })),
  };
}

/** The namespace is the host's, or the runtime makes it; the driver is told all the same. */
async function withoutNamespace(room: NetworkRoom, sandbox: SandboxRecord, plans: readonly Plan[]): Promise<Made> {
  room.save(sandbox);
  try {
    writeHostFiles(room, sandbox);
    await createFirst(room, sandbox, plans);
    await joinAll(room, sandbox, plans, 0);
    room.save(sandbox);
  } catch (error) {
    await undo(room, sandbox);
    throw error;
  }
  announceConnected(room, sandbox);
  return result(sandbox, Promise.resolve());
}

async function withNamespace(room: NetworkRoom, sandbox: SandboxRecord, plans: readonly Plan[]): Promise<Made> {
  room.save(sandbox);
  // Beside each other: a process that makes the namespace, and the first driver's work that needs none.
  const [session, files] = await Promise.allSettled([
    createNamespace(sandbox.path),
    createFirst(room, sandbox, plans).then(() => writeHostFiles(room, sandbox)),
  ]);
  const failed = [files, session].find((outcome) => outcome.status === 'rejected');
  if (session.status === 'rejected' || failed) {
    if (session.status === 'fulfilled') session.value.abandon();
    await undo(room, sandbox);
    throw failed?.status === 'rejected' ? failed.reason : systemError('the sandbox could not be made');
  }
  const ready = finish(room, sandbox, plans, session.value);
  // Whoever attached awaits it later; until then a failure must not count as unhandled.
  ready.catch(() => {});
  return result(sandbox, ready);
}

async function createFirst(room: NetworkRoom, sandbox: SandboxRecord, [first]: readonly Plan[]): Promise<void> {
  if (first) await createEndpoint(room, sandbox, first.network, newEndpoint(first.network, sandbox, first.wished));
}

/** One network after the other, as Docker: all of its calls, then the next one's. The first endpoint is there already. */
async function joinAll(
  room: NetworkRoom,
  sandbox: SandboxRecord,
  plans: readonly Plan[],
  sandboxPid: number,
): Promise<Joined[]> {
  const joined: Joined[] = [];
  for (const [index, { network, wished }] of plans.entries()) {
    const endpoint = sandbox.endpoints[index] ?? newEndpoint(network, sandbox, wished);
    if (!sandbox.endpoints.includes(endpoint)) await createEndpoint(room, sandbox, network, endpoint);
    joined.push(await joinEndpoint(room, sandbox, endpoint, sandboxPid));
  }
  return joined;
}

async function finish(
  room: NetworkRoom,
  sandbox: SandboxRecord,
  plans: readonly Plan[],
  session: NamespaceSession,
): Promise<void> {
  try {
    const joined = await joinAll(room, sandbox, plans, session.pid);
    if (needsGateway(room, sandbox)) {
      const over = await joinGateway(room, sandbox, session.pid);
      if (over) joined.push(over);
    }
    // By now all addresses are known, and every network whose name service the container can reach.
    if (sandbox.endpoints.length > 1) writeHostFiles(room, sandbox);
    const way = gatewayEndpoint(sandbox);
    // All have ended before anything is undone: what is published late would stay.
    const all = await Promise.allSettled([
      wire(session, sandbox, joined),
      way ? publishPorts(room, sandbox, way) : undefined,
      serveNames(room, sandbox),
      openLinks(room, sandbox),
    ]);
    for (const outcome of all) if (outcome.status === 'rejected') throw outcome.reason;
    room.names.register(sandbox);
    tellLinked(room, sandbox);
    await reopenLinksTo(room, sandbox);
    announceConnected(room, sandbox);
  } catch (error) {
    session.abandon();
    await undo(room, sandbox);
    throw error;
  }
}

/** After a failed attach: the first error is the caller's, what the undoing adds goes to the log. */
async function undo(room: NetworkRoom, sandbox: SandboxRecord): Promise<void> {
  await takeDown(room, sandbox).catch((error: unknown) =>
    room.log.error('a failed attempt to attach a container left something behind; it is tried again', {
      container: sandbox.containerId,
      error: messageOf(error),
    }),
  );
}

/** `container:<id>`: the other's namespace and its files. */
function joinOther(room: NetworkRoom, request: SandboxRequest, ref: string): Sandbox {
  const other = room.containers.find(ref);
  if (!other) throw systemError(`joining network namespace of container: No such container: ${ref}`);
  if (other.id === request.containerId) throw systemError('cannot join own network namespace');
  const owner = room.sandbox(other.id);
  if (!owner || other.pid === 0) {
    throw conflict(`cannot join network namespace of a non running container: container ${other.name} is not running`);
  }
  const path = owner.kind === 'own' || !owner.path ? `/proc/${other.pid}/ns/net` : owner.path;
  const sandbox: SandboxRecord = {
    ...newSandbox(room, request, owner.kind === 'host' ? 'host' : 'joined'),
    path: owner.kind === 'host' ? '' : path,
    ownerId: owner.ownerId || owner.containerId,
    directory: owner.directory,
  };
  room.save(sandbox);
  return { ...result(sandbox, Promise.resolve()), endpoints: request.endpoints };
}

function result(sandbox: SandboxRecord, ready: Promise<void>): Made {
  const namespace: Sandbox['namespace'] =
    sandbox.kind === 'host'
      ? { kind: 'host' }
      : sandbox.kind === 'own'
        ? { kind: 'own' }
        : { kind: 'path', path: sandbox.path };
  return { namespace, ...hostFilePaths(sandbox.directory), ready };
}
