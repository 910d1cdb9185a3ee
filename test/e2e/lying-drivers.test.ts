import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { ScriptedNetworkPlugin } from './support/scripted-network.js';

/** A network driver that names interfaces, addresses and routes that are not its own harms neither the host nor others. */
const host = [
  'ip link set lo up',
  // The first four are in use, each in another way.
  ...['up', 'six', 'own', 'way', 'idle'].map((name) => `ip link add ${name}0 type veth peer name ${name}1`),
  ...['up', 'six', 'own', 'way', 'idle'].map((name) => `ip link set ${name}0 up; ip link set ${name}1 up`),
  'ip address add 192.0.2.5/24 dev up0; ip route add default via 192.0.2.1',
  'ip -6 address add fd99::5/64 dev six0 nodad; ip -6 route add default via fd99::1',
  'ip address add 198.51.100.1/24 dev own0',
  'ip route add 203.0.113.0/24 dev way0',
  'ip link add foreign type bridge; ip link add port0 type veth peer name port1; ip link set port0 master foreign',
  'ip link add under0 type veth peer name under1; ip link add link under0 name above0 type macvlan',
  'ip link add parent0 type veth peer name parent1; ip link set parent0 up',
].join('\n');
let engine: Engine;
let plugin: ScriptedNetworkPlugin;

beforeAll(async () => {
  engine = await startEngine({ enter: ['unshare', '--net', 'sh', '-c', `${host}\nexec "$0" "$@"`] });
});
afterAll(() => engine?.[Symbol.asyncDispose]());
beforeEach(async () => {
  plugin = new ScriptedNetworkPlugin(join(engine.pluginDirectory, 'liar.sock'), 'ly', engine.prefix, engine.pid);
  await ok('network', 'create', '-d', 'liar', '--ipam-driver', 'liar', '--subnet', `${engine.prefix}.9.0/24`, 'net');
});
afterEach(async () => {
  plugin.answers.clear();
  await removeAll(engine);
  await ok('network', 'prune', '-f');
  expect(plugin.held.size).toBe(0);
  await plugin[Symbol.asyncDispose]();
});
const { ok, refused } = clientOf(() => engine);

const inside = async (...command: string[]) =>
  (await run('nsenter', [`--net=/proc/${engine.pid}/ns/net`, ...command])).stdout;
/** The host's own interfaces with their addresses and bridges, and its routes. */
const own = async () => {
  const shown = ['-o address', '-o link', 'route', '-6 route show default'].map((what) =>
    inside('ip', ...what.split(' ')),
  );
  const lines = (await Promise.all(shown)).join('').split('\n');
  return lines.filter((line) => /\b(lo|(up|six|own|way|port|under|above)\d|foreign)\b/.test(line));
};
const sleeper = (name: string, ...options: string[]) =>
  ok('run', '-d', '--name', name, ...options, 'busybox', 'sleep', '1000');
const joinsWith = (answer: Record<string, unknown>) => plugin.answers.set('NetworkDriver.Join', answer);
const naming = (SrcName: string) => joinsWith({ InterfaceName: { SrcName, DstPrefix: 'eth' } });
const adding = (more: Record<string, unknown>) =>
  plugin.answers.set('NetworkDriver.Join', async (body) => ({
    ...(await plugin.usual('NetworkDriver.Join', body)),
    ...more,
  }));

describe('an interface is not moved into a container', () => {
  test.each([
    ['lo', 'the host’s loopback'],
    ['up0', 'over which this host reaches the world'],
    ['six0', 'over which this host reaches the world'],
    ['own0', 'which has the address 198.51.100.1/24 of this host'],
    ['way0', 'over which this host has routes'],
    ['port0', 'which is a port of foreign'],
    ['under0', 'on which above0 stands'],
    ['none-such', 'which is not there'],
  ])('%s: %s', async (name, why) => {
    const before = await own();
    naming(name);
    expect(await refused('run', '--name', 'cc', '--network', 'net', 'busybox', 'true')).toContain(
      `plugin "liar" answered NetworkDriver.Join with the interface ${name}, ${
        why.startsWith('the ') ? 'which is ' : ''
      }${why}: it is not moved into a container`,
    );
    expect(await own()).toEqual(before);
    // Nothing is left of the attempt, and nothing is said to be.
    expect(readdirSync(join(engine.execRoot, 'netns'))).toEqual([]);
    expect(engine.log()).not.toContain('left something behind');
  });

  test('another network’s parent', async () => {
    await ok('network', 'create', '-d', 'macvlan', '-o', 'parent=parent0', 'above');
    naming('parent0');
    expect(await refused('run', '--network', 'net', 'busybox', 'true')).toContain('which network above is made on');
  });

  test('another container’s end of a bridge', async () => {
    await sleeper('victim');
    const [link = ''] = /\w+(?=@)/.exec(await inside('ip', '-o', 'link', 'show', 'master', engine.bridge)) ?? [];
    naming(link);
    expect(await refused('run', '--network', 'net', 'busybox', 'true')).toContain(
      `which is a port of ${engine.bridge}`,
    );
    expect(await ok('exec', 'victim', 'ping', '-c1', '-W2', `${engine.prefix}.0.1`)).toContain('1 packets received');
  });

  test('another container’s, which is on its way', async () => {
    let name = '';
    let go: () => void = () => {};
    const joins = new Promise<void>((resolve) => {
      // The victim's first network has answered, and its second one takes its time.
      plugin.answers.set('NetworkDriver.Join', async (body) => {
        const said = await plugin.usual('NetworkDriver.Join', body);
        if (name !== '') {
          await new Promise<void>((done) => {
            go = done;
            resolve();
          });
        }
        name ||= (said.InterfaceName as { SrcName: string }).SrcName;
        return said;
      });
    });
    const second = ['--ipam-driver', 'liar', '--subnet', `${engine.prefix}.8.0/24`, 'second'];
    await ok('network', 'create', '-d', 'liar', ...second);
    const victim = sleeper('victim', '--network', 'net', '--network', 'second');
    await joins;
    naming(name);
    expect(await refused('run', '--network', 'net', 'busybox', 'true')).toContain('which is for container victim');
    go();
    await victim;
    expect(await ok('exec', 'victim', 'ls', '/sys/class/net')).toBe('eth0\neth1\neth2\nlo');
  });

  test('and a container’s own interface is not mistaken for it', async () => {
    await sleeper('cc');
    // The container's has that name, too, and is not taken out in its place.
    await inside('ip', 'link', 'add', 'eth0', 'type', 'bridge');
    naming('eth0');
    expect(await refused('network', 'connect', 'net', 'cc')).toContain('eth0');
    expect(await ok('exec', 'cc', 'ping', '-c1', '-W2', `${engine.prefix}.0.1`)).toContain('1 packets received');
    await inside('ip', 'link', 'delete', 'eth0');
  });
});

test('an idle interface is moved in, as drivers of network cards have it, and comes back', async () => {
  naming('idle0');
  await sleeper('cc', '--network', 'net');
  expect(await ok('exec', 'cc', 'ip', 'link')).toContain('eth0@');
  expect(await inside('ip', '-o', 'link')).not.toContain('idle0');
  await ok('rm', '-f', 'cc');
  await expect.poll(() => inside('ip', '-o', 'link')).toContain('idle0');
});

test('an interface that was made for a container may have addresses and routes before it is moved', async () => {
  plugin.answers.set('NetworkDriver.Join', async () => {
    await inside('ip', 'link', 'add', 'made0', 'type', 'veth', 'peer', 'name', 'made1');
    await inside('ip', 'address', 'add', '203.0.113.9/28', 'dev', 'made0');
    await inside('ip', 'link', 'set', 'made0', 'up');
    return { InterfaceName: { SrcName: 'made0', DstPrefix: 'eth' } };
  });
  await sleeper('cc', '--network', 'net');
  expect(await ok('exec', 'cc', 'ip', '-o', '-4', 'address', 'show', 'eth0')).toContain(`${engine.prefix}.9.`);
  await ok('rm', '-f', 'cc');
  await inside('ip', 'link', 'delete', 'made1');
});

describe('routes', () => {
  const far = '10.99.0.0/16';
  const near = () => `${engine.prefix}.9.1`;

  test('the same one twice is one, and that of the own subnet is there anyway', async () => {
    const direct = (Destination: string) => ({ Destination, RouteType: 1 });
    adding({ StaticRoutes: [direct(far), direct(far), direct(`${engine.prefix}.9.0/24`)] });
    await sleeper('cc', '--network', 'net');
    const routes = await ok('exec', 'cc', 'ip', 'route');
    expect(routes.match(/10\.99\.0\.0\/16 dev eth0/g)).toHaveLength(1);
    // The kernel's own, with its source.
    expect(routes).toContain(`${engine.prefix}.9.0/24 dev eth0 scope link  src`);
  });

  test('another network’s is refused', async () => {
    adding({ StaticRoutes: [{ Destination: far, RouteType: 1 }] });
    await sleeper('cc', '--network', 'net');
    await ok(
      'network',
      'create',
      '-d',
      'liar',
      '--ipam-driver',
      'liar',
      '--subnet',
      `${engine.prefix}.8.0/24`,
      'other',
    );
    expect(await refused('network', 'connect', 'other', 'cc')).toContain(
      `answered NetworkDriver.Join with the route ${far} dev eth2 scope link: another network of the container leads there`,
    );
    expect(await ok('exec', 'cc', 'ip', 'route')).toContain(`${far} dev eth0`);
    // Nor is a route taken that leads where another network is.
    adding({ StaticRoutes: [{ Destination: `${engine.prefix}.9.0/24`, RouteType: 1 }] });
    expect(await refused('network', 'connect', 'other', 'cc')).toContain(
      'another network of the container leads there',
    );
  });

  test('a route everywhere is the way out until a better network comes, and again when that goes', async () => {
    adding({ StaticRoutes: [{ Destination: '0.0.0.0/0', NextHop: near() }] });
    await sleeper('cc', '--network', 'net');
    const routes = async () => (await ok('exec', 'cc', 'ip', 'route')).match(/^default.*?(?= *$)/gm);
    const own = [`default via ${near()} dev eth0`];
    expect(await routes()).toEqual(own);
    await ok('network', 'connect', '--gw-priority', '5', 'bridge', 'cc');
    expect(await routes()).toEqual([`default via ${engine.prefix}.0.1 dev eth1`]);
    await ok('network', 'disconnect', 'bridge', 'cc');
    expect(await routes()).toEqual(own);
  });
});

describe('an IPAM driver', () => {
  const giving = (Address: string) => plugin.answers.set('IpamDriver.RequestAddress', { Address });
  const create = ['network', 'create', '-d', 'liar', '--ipam-driver', 'liar'];
  const subnet = (third: number) => `${engine.prefix}.${third}.0/24`;

  test('gives no address that somebody has, or that was not asked for', async () => {
    const at = (last: number) => `${engine.prefix}.8.${last}`;
    await ok(...create, '--subnet', subnet(8), '--gateway', at(254), '--aux-address', `printer=${at(7)}`, 'more');
    await sleeper('cc', '--network', 'more', '--ip', at(9));
    for (const [last, why] of [
      [254, 'which network more has for its gateway'],
      [7, 'which network more has as an auxiliary address'],
      [9, 'which container cc has'],
    ] as const) {
      giving(`${at(last)}/24`);
      expect(await refused('run', '--network', 'more', 'busybox', 'true')).toContain(
        `the address ${at(last)}/24, ${why}`,
      );
    }
    giving(`${at(20)}/24`);
    expect(await refused('run', '--network', 'more', '--ip', at(30), 'busybox', 'true')).toContain(
      `the address ${at(20)}/24, where it was asked for ${at(30)}`,
    );
    expect(await refused(...create, '--subnet', subnet(7), '--gateway', `${engine.prefix}.7.9`, 'bad')).toContain(
      `failed to allocate gateway (${engine.prefix}.7.9): plugin "liar" answered IpamDriver.RequestAddress`,
    );
    plugin.answers.clear();
    expect(await ok('exec', 'cc', 'ip', '-o', '-4', 'address', 'show', 'eth0')).toContain(`${at(9)}/24`);
  });

  test('may insist on a pool of its own, which is shown, but on no pool twice', async () => {
    const insists = () => plugin.usual('IpamDriver.RequestPool', { Pool: subnet(6) });
    plugin.answers.set('IpamDriver.RequestPool', insists);
    await ok(...create, '--subnet', subnet(8), 'more');
    expect(await ok('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Subnet}}', 'more')).toBe(subnet(6));
    await sleeper('cc', '--network', 'more', '--ip', `${engine.prefix}.6.9`);
    expect(await refused(...create, '--subnet', subnet(7), '--subnet', subnet(8), 'twice')).toContain(
      `the pool ${subnet(6)}, which overlaps with ${subnet(6)} of the same network`,
    );
    await sleeper('dd', '--network', 'more');
  });
});

test('a driver that was not asked to make its interface inside cannot say that it did', async () => {
  adding({ InterfaceName: { SrcName: 'lo', InSandbox: true } });
  expect(await refused('run', '--network', 'net', 'busybox', 'true')).toContain('the host’s loopback');
  await plugin[Symbol.asyncDispose]();
  plugin = new ScriptedNetworkPlugin(join(engine.pluginDirectory, 'inner.sock'), 'ly', engine.prefix, engine.pid);
  plugin.answers.set('NetworkDriver.GetCapabilities', { JoinsInSandbox: true });
  await ok('network', 'create', '-d', 'inner', '--ipam-driver', 'inner', '--subnet', `${engine.prefix}.7.0/24`, 'in');
  await sleeper('cc');
  for (const SrcName of ['eth0', 'lo']) {
    adding({ InterfaceName: { SrcName, InSandbox: true } });
    expect(await refused('network', 'connect', 'in', 'cc')).toContain(`the interface ${SrcName}, which is not its own`);
  }
  expect(await ok('exec', 'cc', 'ping', '-c1', '-W2', `${engine.prefix}.0.1`)).toContain('1 packets received');
});

test('members that the protocol does not have are passed over', async () => {
  adding({
    HostsPath: '/etc/shadow',
    ResolvConfPath: '/etc/shadow',
    Sysctls: { 'net.ipv4.ip_forward': '1' },
    Nested: [{}],
  });
  const names = 'cat /etc/hosts /etc/resolv.conf';
  expect(await ok('run', '--rm', '--network', 'net', 'busybox', 'sh', '-c', names)).not.toContain('root:');
});
