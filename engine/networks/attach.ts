import { join } from 'node:path';
import { createNamespace, type NamespaceSession, userNamespaceOf } from '@cleat/linux/net/namespace';
import type { UserNamespace } from '@cleat/linux/process/user-namespace';
import { conflict, forbidden, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { newId } from '../ids.js';
import { announceConnected } from './announce.js';
import type { NetworksContext } from './context.js';
import { takeDown } from './detach.js';
import { createEndpoint, type Joined, joinEndpoint, newEndpoint } from './endpoint.js';
import { joinGateway, needsGateway } from './gateway.js';
import { hostFilePaths } from './host-files/hosts.js';
import { tellLinked, writeHostFiles } from './host-files/write.js';
import { linkedRequest } from './links.js';
import { expectNames, registerNames, serveNames } from './named.js';
import { openLinks, reopenLinksTo } from './open-links.js';
import { exposedPorts, requestedPorts } from './ports.js';
import { ensureOne } from './predefined.js';
import { settlePorts } from './publish.js';
import type { NetworkRecord, RequestedEndpoint, SandboxRecord } from './record.js';
import { checkRequested, requestedRef } from './requested.js';
import { isPredefined } from './resource.js';
import type { Sandbox, SandboxRequest } from './service.js';
import { wire } from './wiring/wire.js';

type Made = Omit<Sandbox, 'endpoints'>;

interface Plan {
  network: NetworkRecord;
  requested: RequestedEndpoint;
  /** The container's name for it. */
  ref: string;
}

/** See {@link import('./service.js').Networks.attach}. */
export function attach(context: NetworksContext, request: SandboxRequest): Promise<Sandbox> {
  const { containerId } = request;
  const stop = new AbortController();
  const work = doAttach(context, request, stop.signal);
  // A detach meanwhile stops it and waits for its end: nothing may be made behind the back of a teardown.
  const done = work
    .then(({ ready }) => ready)
    .catch(() => {
      // The caller hears of it.
    })
    .finally(() => {
      if (context.arriving.get(containerId)?.stop === stop) context.arriving.delete(containerId);
    });
  context.arriving.set(containerId, { done, stop });
  return work;
}

async function doAttach(context: NetworksContext, request: SandboxRequest, signal: AbortSignal): Promise<Sandbox> {
  await context.leaving.get(request.containerId)?.catch(() => {
    // The one that took it down heard of it; the rest is on the list.
  });
  const former = context.sandbox(request.containerId);
  if (former) await takeDown(context, former);
  const mode = request.networkMode === 'default' ? context.defaultNetwork : request.networkMode;
  if (mode.startsWith('container:')) return joinOther(context, request, mode.slice('container:'.length));
  const plans = await plan(context, request, mode);
  const kinds = new Set(plans.map(({ network }) => network.sandbox));
  if (kinds.size > 1 || (plans.length > 1 && !kinds.has('own'))) {
    throw invalidParameter(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
  const sandbox = newSandbox(context, request, kinds.has('host') ? 'host' : kinds.has('none') ? 'own' : 'path');
  context.stopWith(sandbox, signal);
  const endpoints = settled(request.endpoints, plans);
  const made = await (sandbox.kind === 'path'
    ? withNamespace(context, sandbox, plans, request.owner?.userNamespace)
    : withoutNamespace(context, sandbox, plans));
  return { ...made, endpoints };
}

/** The networks to join, the one of the mode first, as Docker numbers the interfaces. */
async function plan(context: NetworksContext, request: SandboxRequest, mode: string): Promise<Plan[]> {
  const requested = Object.entries(request.endpoints);
  // These two are what they are also for one that no list names them for.
  if (requested.length === 0 && (mode === 'none' || mode === 'host')) requested.push([mode, {}]);
  const plans: Plan[] = [];
  for (const [ref, settings] of requested) {
    // Without a default bridge (`--bridge none`) a container that asks for it has no network, as under Docker.
    const isDefault = ref === 'default' || (ref === 'bridge' && context.config.bridge === 'none');
    const network = await requestedNetwork(context, isDefault ? context.defaultNetwork : ref, settings);
    if (network.configOnly) throw forbidden('cannot create endpoint on configuration-only network');
    if (plans.some((other) => other.network === network)) continue;
    checkRequested(network.name, network, settings);
    plans.push({ network, requested: linkedRequest(settings, context.idOf), ref });
  }
  const first = context.registry.lookUp(mode);
  const isFirst = ({ network }: Plan) => network === first;
  return plans.sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
}

/** A predefined one may be made only now: its driver may have come since the engine started. @throws NotFound */
async function requestedNetwork(
  context: NetworksContext,
  name: string,
  requested: RequestedEndpoint,
): Promise<NetworkRecord> {
  if (isPredefined(name) && !context.registry.byName(name)) await ensureOne(context, name);
  return context.registry.find(requestedRef(name, requested));
}

/**
 * The requested settings, with the IDs of the networks: the next start means the same ones, whatever they are called
 * then.
 */
function settled(endpoints: SandboxRequest['endpoints'], plans: readonly Plan[]): SandboxRequest['endpoints'] {
  const found = new Map(plans.map((plan) => [plan.ref, plan]));
  return Object.fromEntries(
    Object.entries(endpoints).map(([ref, asked]) => {
      const { network, requested = asked } = found.get(ref) ?? {};
      if (!network || isPredefined(network.name)) return [ref, requested];
      return [network.name, { ...requested, NetworkID: network.id }];
    }),
  );
}

/** The file of a sandbox's own namespace. */
export const namespacePath = ({ execRoot }: NetworksContext['config'], sandboxId: string): string =>
  join(execRoot, 'netns', sandboxId.slice(0, 12));

function newSandbox(
  context: Pick<NetworksContext, 'config'>,
  request: SandboxRequest,
  kind: SandboxRecord['kind'],
): SandboxRecord {
  const sandboxId = newId();
  return {
    v: 2,
    containerId: request.containerId,
    containerName: request.containerName.replace(/^\//, ''),
    hostname: request.hostname,
    domainname: request.domainname,
    sandboxId,
    kind,
    path: kind === 'path' ? namespacePath(context.config, sandboxId) : '',
    ownerId: '',
    directory: request.directory,
    ...(request.sysctls['net.ipv6.conf.all.disable_ipv6'] === '1' && { withoutIPv6: true }),
    ...(request.owner && { root: request.owner.root }),
    endpoints: [],
    exposedPorts: [...new Set(exposedPorts([...request.exposedPorts, ...Object.keys(request.portBindings)]))],
    requestedPorts: requestedPorts(request.portBindings, exposedPorts(request.exposedPorts), request.publishAllPorts),
    dns: request.dns,
    dnsSearch: request.dnsSearch,
    dnsOptions: request.dnsOptions,
    extraHosts: request.extraHosts,
    linked: request.links.map(({ containerId, alias }) => ({ containerId, alias })),
  };
}

/** The namespace is the host's, or the runtime makes it; the driver is told all the same. */
async function withoutNamespace(
  context: NetworksContext,
  sandbox: SandboxRecord,
  plans: readonly Plan[],
): Promise<Made> {
  context.save(sandbox);
  try {
    writeHostFiles(context, sandbox);
    await createFirst(context, sandbox, plans);
    await joinAll(context, sandbox, plans, 0);
    context.save(sandbox);
  } catch (error) {
    await undo(context, sandbox);
    throw error;
  }
  announceConnected(context, sandbox);
  return result(sandbox, Promise.resolve());
}

async function withNamespace(
  context: NetworksContext,
  sandbox: SandboxRecord,
  plans: readonly Plan[],
  owner: UserNamespace | undefined,
): Promise<Made> {
  context.save(sandbox);
  expectNames(
    context,
    plans.map(({ network }) => network),
  );
  // Beside each other: a process that makes the namespace, and the first driver's work that needs none.
  const [session, files] = await Promise.allSettled([
    createNamespace(sandbox.path, owner),
    createFirst(context, sandbox, plans).then(() => writeHostFiles(context, sandbox)),
  ]);
  const failed = [files, session].find((outcome) => outcome.status === 'rejected');
  if (session.status === 'rejected' || failed) {
    if (session.status === 'fulfilled') session.value.abandon();
    await undo(context, sandbox);
    throw failed?.status === 'rejected' ? failed.reason : systemError('the sandbox could not be made');
  }
  const ready = finish(context, sandbox, plans, session.value);
  // The attach awaits it later; until then a failure must not count as unhandled.
  ready.catch(() => {});
  const made = result(sandbox, ready);
  return owner ? { ...made, userNamespace: userNamespaceOf(sandbox.path) } : made;
}

async function createFirst(context: NetworksContext, sandbox: SandboxRecord, [first]: readonly Plan[]): Promise<void> {
  if (first)
    await createEndpoint(context, sandbox, first.network, newEndpoint(first.network, sandbox, first.requested));
}

/**
 * One network after the other, as Docker: all of its calls, then the next one's. The first endpoint is there already.
 */
async function joinAll(
  context: NetworksContext,
  sandbox: SandboxRecord,
  plans: readonly Plan[],
  sandboxPid: number,
): Promise<Joined[]> {
  const joined: Joined[] = [];
  for (const [index, { network, requested }] of plans.entries()) {
    const endpoint = sandbox.endpoints[index] ?? newEndpoint(network, sandbox, requested);
    if (!sandbox.endpoints.includes(endpoint)) await createEndpoint(context, sandbox, network, endpoint);
    joined.push(await joinEndpoint(context, sandbox, endpoint, sandboxPid));
  }
  return joined;
}

async function finish(
  context: NetworksContext,
  sandbox: SandboxRecord,
  plans: readonly Plan[],
  session: NamespaceSession,
): Promise<void> {
  try {
    const joined = await joinAll(context, sandbox, plans, session.pid);
    if (needsGateway(context, sandbox)) {
      const over = await joinGateway(context, sandbox, session.pid);
      if (over) joined.push(over);
    }
    // By now all addresses are known, and every network whose name service the container can reach.
    if (sandbox.endpoints.length > 1) writeHostFiles(context, sandbox);
    // All have ended before anything is undone: what is published late would stay.
    const all = await Promise.allSettled([
      wire(context, session, sandbox, joined),
      settlePorts(context, sandbox),
      serveNames(context, sandbox),
      openLinks(context, sandbox),
    ]);
    for (const outcome of all) if (outcome.status === 'rejected') throw outcome.reason;
    tellLinked(context, sandbox);
    await Promise.all([registerNames(context, sandbox), reopenLinksTo(context, sandbox)]);
    announceConnected(context, sandbox);
  } catch (error) {
    session.abandon();
    await undo(context, sandbox);
    throw error;
  }
}

/** After a failed attach: the first error is the caller's, what the undoing adds goes to the log. */
async function undo(context: NetworksContext, sandbox: SandboxRecord): Promise<void> {
  await takeDown(context, sandbox).catch((error: unknown) =>
    context.log.error('a failed attempt to attach a container left something behind; it is tried again', {
      container: sandbox.containerId,
      error: messageOf(error),
    }),
  );
}

/** `container:<id>`: the other's namespace and its files. */
function joinOther(context: NetworksContext, request: SandboxRequest, ref: string): Sandbox {
  const other = context.containers.find(ref);
  if (!other) throw systemError(`joining network namespace of container: No such container: ${ref}`);
  if (other.id === request.containerId) throw systemError('cannot join own network namespace');
  const owner = context.sandbox(other.id);
  if (!owner || other.pid === 0) {
    throw conflict(`cannot join network namespace of a non running container: container ${other.name} is not running`);
  }
  const path = owner.kind === 'own' || !owner.path ? `/proc/${other.pid}/ns/net` : owner.path;
  const sandbox: SandboxRecord = {
    ...newSandbox(context, request, owner.kind === 'host' ? 'host' : 'joined'),
    path: owner.kind === 'host' ? '' : path,
    ownerId: owner.ownerId || owner.containerId,
    directory: owner.directory,
  };
  context.save(sandbox);
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
