import { join } from 'node:path';
import { namespaceFiles } from '@cleat/linux/net/facts';
import { hostLinks } from '@cleat/linux/net/links';
import { removeNamespace, userNamespaceOf } from '@cleat/linux/net/namespace';
import { cancelled, messageOf, notFound } from '@cleat/protocol/errors';
import { checkFilters, excludesLabels, type Filters, matchLabels, untilFilter } from '../filters.js';
import { parseTime } from '../time.js';
import { attach } from './attach.js';
import { connect, connectLater, disconnect } from './connect.js';
import { NetworksContext, type NetworksDeps } from './context.js';
import { clearUnfinished, createNetwork, removeNetwork } from './create.js';
import { takeDown } from './detach.js';
import { dnsNames } from './dns-names.js';
import { hostFilePaths } from './host-files/hosts.js';
import { tellLinked, writeHostFiles } from './host-files/write.js';
import { expectNames, hasNames, namedContainer, registerNames } from './named.js';
import { announceNodes } from './nodes/index.js';
import { openLinks, reopenLinks } from './open-links.js';
import { ensurePredefined } from './predefined.js';
import type { NetworkRecord } from './record.js';
import { requestedRef, settleRequested } from './requested.js';
import { isPredefined, networkFilter, networkResource } from './resource.js';
import { replayForForgetful } from './restore.js';
import type { NetworkHost, Networks } from './service.js';
import { detachedSettings, sandboxSettings } from './settings.js';
import { networkStatus } from './status.js';

export type { NetworksDeps } from './context.js';

/** Opens the networks context; `start` makes the predefined networks. */
export function openNetworks(deps: NetworksDeps): Networks & NetworkHost {
  const context = new NetworksContext(deps);
  const inUse = ({ id }: NetworkRecord) => context.endpointsOn(id).length > 0;
  /** A driver holds and serves what is published, also while nobody asks it for anything. */
  const wake = (driver: string) => {
    context.drivers
      .network(driver)
      .catch((error: unknown) =>
        context.log.warn('the driver of published ports is not there', { driver, error: messageOf(error) }),
      );
  };
  const stopReplays = deps.extensions.onChange(({ name, state }) => {
    if (state === 'active') void replayForForgetful(context, name);
  });

  const stopNodes = announceNodes({ ...deps, drivers: context.drivers });

  return {
    get defaultNetwork() {
      return context.defaultNetwork;
    },

    async start() {
      context.elsewhere.start();
      // Those that run are served on; those that do not are taken down later.
      context.names.open(
        context
          .sandboxes()
          .filter(hasNames)
          .map((sandbox) => namedContainer(context, sandbox)),
      );
      await clearUnfinished(context);
      await ensurePredefined(context);
    },

    async close() {
      stopReplays();
      stopNodes();
      context.elsewhere.close();
      await Promise.allSettled(context.leaving.values());
      await context.names.close();
      context.drivers.close();
      hostLinks().close();
    },

    async create(request) {
      const network = await createNetwork(context, request, { told: true });
      expectNames(context, [network]);
      void context.elsewhere.consider(network);
      return { Id: network.id, Warning: '' };
    },

    async list(filters) {
      return context.registry
        .all()
        .filter(networkFilter(filters, inUse))
        .map((network) => networkResource(network));
    },

    async inspect(ref, options = {}) {
      const network = context.registry.find(ref);
      if (options.scope && options.scope !== network.scope) throw notFound(`network ${ref} not found`);
      const sandboxes = context.sandboxes();
      return {
        ...networkResource(network, sandboxes),
        Status: networkStatus(network, sandboxes, context.config.defaultIpamDriver),
      };
    },

    remove: (ref) => removeNetwork(context, context.registry.find(ref)),

    ofDriver: (driver) =>
      context.registry
        .all()
        .flatMap((network) => (network.driver === driver || network.ipam.driver === driver ? [network.name] : [])),

    async prune(filters) {
      const NetworksDeleted: string[] = [];
      for (const network of context.registry.all().filter(pruneFilter(filters))) {
        if (isPredefined(network.name) || inUse(network)) continue;
        try {
          await removeNetwork(context, network);
          NetworksDeleted.push(network.name);
        } catch (error) {
          context.log.warn('a network could not be pruned', { network: network.name, error: messageOf(error) });
        }
      }
      context.events.publish({ type: 'network', action: 'prune', id: '', attributes: { reclaimed: '0' } });
      return { NetworksDeleted };
    },

    resolve(ref) {
      const { id, name } = context.registry.find(ref);
      return { id, name };
    },

    requested: (mode, endpoints) => settleRequested(context, mode, endpoints),

    attach: (request) => attach(context, request),

    async detach(containerId) {
      const arriving = context.arriving.get(containerId);
      arriving?.stop.abort(cancelled('the container is no longer wanted'));
      await arriving?.done;
      const sandbox = context.sandbox(containerId);
      if (sandbox) await takeDown(context, sandbox);
    },

    async adopt(containerId) {
      const sandbox = context.sandbox(containerId);
      if (!sandbox || sandbox.ownerId) return;
      writeHostFiles(context, sandbox);
      await registerNames(context, sandbox);
      void reopenLinks(context, sandbox);
      for (const { driver } of sandbox.endpoints.filter(({ published }) => published)) wake(driver);
    },

    async reconcile(running) {
      void replayForForgetful(context);
      const others = new Set(deps.others?.());
      const unused = context
        .sandboxes()
        .filter(({ containerId }) => !running.has(containerId) && !others.has(containerId));
      // All at once: a driver that does not answer holds up its own only.
      await Promise.all(
        unused.map(async (sandbox) => {
          try {
            await takeDown(context, sandbox);
          } catch (error) {
            context.log.error('an unused sandbox could not be removed', {
              container: sandbox.containerId,
              error: messageOf(error),
            });
          }
        }),
      );
      const known = new Set(context.sandboxes().flatMap(({ path }) => [path, userNamespaceOf(path)]));
      const directory = join(context.config.execRoot, 'netns');
      for (const path of namespaceFiles(directory).map((file) => join(directory, file))) {
        if (!known.has(path)) removeNamespace(path);
      }
    },

    connect: async (id, container, endpoint) => connect(context, context.registry.find(id), container, endpoint),

    connectLater: (ref, container, endpoint) => connectLater(context, ref, container, endpoint),

    async disconnect(id, containerId) {
      const network = context.registry.find(id);
      const sandbox = context.sandbox(containerId);
      if (sandbox) await disconnect(context, network, sandbox);
      else context.emit('disconnect', network, { container: containerId });
    },

    async relink(containerId, links) {
      const sandbox = context.sandbox(containerId);
      if (!sandbox) return;
      sandbox.linked = links.map((link) => ({ containerId: link.containerId, alias: link.alias }));
      context.save(sandbox);
      writeHostFiles(context, sandbox);
      await openLinks(context, sandbox);
    },

    async rename(containerId, name) {
      const sandbox = context.sandbox(containerId);
      if (!sandbox || sandbox.containerName === name) return;
      for (const endpoint of sandbox.endpoints) {
        endpoint.dnsNames = endpoint.dnsNames.map((known) => (known === sandbox.containerName ? name : known));
        context.elsewhere.renamed(endpoint);
      }
      sandbox.containerName = name;
      context.save(sandbox);
      await registerNames(context, sandbox);
      tellLinked(context, sandbox);
    },

    get revision() {
      return context.revision;
    },

    settings(containerId, requested = {}, whose) {
      const sandbox = context.sandbox(containerId);
      if (sandbox) return sandboxSettings(sandbox);
      const networks = Object.entries(requested).map(([name, settings]) => {
        const network = context.registry.lookUp(requestedRef(name, settings));
        const isNamed = whose && (whose.hasRun || settings.named);
        const names = network && isNamed ? dnsNames(network, { containerId, ...whose }, settings) : [];
        // After a run Docker does not show the MAC address that was asked for.
        const shown = whose?.hasRun ? { ...settings, MacAddress: '' } : settings;
        return [network?.name ?? name, detachedSettings(network, shown, names)] as const;
      });
      return { sandboxId: '', sandboxKey: '', ports: {}, networks: Object.fromEntries(networks) };
    },

    hostFiles(containerId) {
      const sandbox = context.sandbox(containerId);
      if (!sandbox) throw notFound(`container ${containerId} is on no network`);
      return hostFilePaths(sandbox.directory);
    },

    isBridgeAddress: (address) =>
      context.registry
        .all()
        .some(({ v4, v6 }) => [...v4, ...v6].some(({ gateway }) => gateway.split('/')[0] === address)),
  };
}

function pruneFilter(filters: Filters): (network: NetworkRecord) => boolean {
  checkFilters(filters, ['label', 'label!', 'until']);
  const until = untilFilter(filters);
  return ({ labels, created }) =>
    matchLabels(filters, labels) &&
    excludesLabels(filters, labels) &&
    (until === undefined || (parseTime(created) ?? 0n) < until);
}
