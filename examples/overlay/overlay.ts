import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setInterval } from '@cleat/protocol/guard';
import { DurableMap, defineExtension, implement, invalidParameter, ipamKind, networkKind } from '@cleat/sdk';
import { formatAddress, parseAddress, readPools, uniqueLocalPool } from '@cleat/sdk/addresses';
import { Addresses, type Claim } from './cluster/addresses.js';
import { Keys } from './cluster/keys.js';
import type { SharedNetworks } from './cluster/networks.js';
import { SharedValue } from './cluster/shared-value.js';
import { networkDriver } from './driver.js';
import { Etcd } from './etcd/etcd.js';
import { Mirror } from './etcd/mirror.js';
import { type Leases, Session } from './etcd/session.js';
import { Devices } from './host/devices.js';
import { Fabric, type LocalEndpoint, type LocalNetwork } from './host/fabric.js';
import { LinkNamespace } from './host/link-namespace.js';
import { Neighbours } from './host/neighbours.js';
import { Wireguard } from './host/wireguard.js';
import { ipamDriver } from './ipam.js';
import { Membership } from './membership.js';

/** How often links are looked after that somebody may have removed, in ms. */
const lookMs = 2_000;

/** Networks that span hosts. */
export default defineExtension({
  options: {
    address: { required: true, help: 'this host’s own address, by which other hosts reach it' },
    etcd: { default: 'http://127.0.0.1:2379', help: 'URLs of etcd’s members, separated by commas' },
    'etcd-ca': { help: 'file: whom to trust where they are https' },
    'etcd-cert': { help: 'file: the certificate to show to etcd' },
    'etcd-key': { help: 'and its key' },
    cluster: { default: '/cleat/overlay', help: 'what all keys in etcd begin with' },
    ttl: { default: '60', help: 'seconds after which the addresses of a host that is not heard are free' },
    grace: { default: '300', help: 'seconds more for which they are left to who had them' },
    pools: { default: '[{"base":"10.64.0.0/10","size":24}]', json: true, help: 'where subnets come from' },
    scope: { default: 'global', help: 'as engines see it: global or local' },
    root: { default: '/var/lib/overlay', help: 'directory of what this host knows' },
    prefix: { default: 'ov', help: 'what the names of its links begin with' },
    'vxlan-port': { default: '4789', help: 'UDP; encrypted networks use the next one' },
    'wireguard-port': { default: '51820', help: 'UDP' },
  },
  async start({ name, options, log, signal }) {
    const address = formatAddress(parseAddress(options.address));
    const keys = new Keys(options.cluster);
    const { root } = options;
    const identity = new DurableMap<string>(join(root, 'host.journal'), log, { sync: true });
    const host = await identity.ensure('id', () => randomBytes(8).toString('hex'));
    const networks = new DurableMap<LocalNetwork>(join(root, 'networks.journal'), log, { sync: true });
    const endpoints = new DurableMap<LocalEndpoint>(join(root, 'endpoints.journal'), log);
    const claims = new DurableMap<Claim>(join(root, 'addresses.journal'), log);
    const leases = new DurableMap<Leases>(join(root, 'leases.journal'), log);

    const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'));
    const tls = { ca: read(options['etcd-ca']), cert: read(options['etcd-cert']), key: read(options['etcd-key']) };
    const etcd = new Etcd(options.etcd.split(','), tls);
    const ttl = wholeNumber('ttl', options.ttl);
    const session = new Session({ etcd, host, ttl, grace: wholeNumber('grace', options.grace), journal: leases, log });
    const addresses = new Addresses(etcd, keys, session, claims);
    const shared = new SharedValue<SharedNetworks>(etcd, keys.networks, () => ({}));
    const mirror = new Mirror(etcd, `${options.cluster}/`, log);
    const vxlanPort = wholeNumber('vxlan-port', options['vxlan-port'], 65_534);
    const wireguardPort = wholeNumber('wireguard-port', options['wireguard-port'], 65_535);
    const encryptedPort = vxlanPort + 1;
    const wireguard = new Wireguard({
      link: `${options.prefix}wg`,
      directory: root,
      cluster: options.cluster,
      port: wireguardPort,
      vxlanPort: encryptedPort,
    });
    const namespace = new LinkNamespace(resolve(root, 'netns'));
    const devices = new Devices(options.prefix, namespace);
    const fabric = new Fabric({
      host,
      address,
      vxlanPort,
      encryptedPort,
      networks,
      endpoints,
      devices,
      neighbours: new Neighbours(namespace),
      wireguard,
      addresses,
      mirror,
      keys,
      log,
    });

    const membership = new Membership({
      address,
      wireguard: { publicKey: wireguard.publicKey, port: wireguardPort },
      etcd,
      keys,
      session,
      shared,
      networks,
      addresses,
      fabric,
      log,
    });
    const agree = async () => {
      await membership.agree();
      mirror.reload();
    };
    const stop = new AbortController();
    const ended = AbortSignal.any([stop.signal, signal]);
    const running = [session.run(agree, ended), mirror.run(() => fabric.news(), ended)];
    const looking = setInterval(() => fabric.lookAfter(), lookMs);
    // Links have it in them, so others must be made.
    const place = `${address} ${vxlanPort}`;
    if (identity.get('place') !== place) {
      for (const [id] of networks.entries()) await devices.disconnect(id);
      identity.set('place', place);
    }
    // The last one was killed before it had taken it away.
    if (networks.size === 0) devices.removeAll();
    await fabric.assertRules();
    fabric.refresh();

    return {
      implementations: [
        implement(
          networkKind,
          networkDriver({
            host,
            name,
            scope: options.scope,
            shared,
            networks,
            endpoints,
            addresses,
            devices,
            fabric,
            announce: () => membership.announce(),
          }),
        ),
        implement(
          ipamKind,
          ipamDriver({
            host,
            name,
            networks: shared,
            addresses,
            livingHosts: () => membership.living(),
            sources: [...readPools(options.pools), uniqueLocalPool(options.cluster)],
          }),
        ),
      ],
      health: () => session.health(),
      async close() {
        clearInterval(looking);
        stop.abort();
        await Promise.all([...running, fabric.end()]);
        // Containers go on without the plugin. Without any, nobody need wait for the lease's end.
        if (networks.size === 0 && claims.size === 0) await session.end().catch(() => {}); // It ends by itself.
        for (const journal of [identity, networks, endpoints, claims, leases]) journal.close();
        devices.close();
        etcd.close();
      },
    };
  },
});

/** @throws InvalidParameter */
function wholeNumber(option: string, text: string, max = 1_000_000): number {
  if (/^[1-9]\d{0,6}$/.test(text) && Number(text) <= max) return Number(text);
  throw invalidParameter(`--${option} ${text}: a whole number from 1 to ${max}`);
}
