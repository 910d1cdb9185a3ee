import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { type Engine, startEngine } from './support/engine.js';
import { type Call, ScriptedNetworkPlugin } from './support/scripted-network.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** Network and IPAM plugins are asked as a stock dockerd asks: the same members, keys, types, and order. */

/** How an engine gets to know a plugin. */
const introduction = /^(Plugin\.Activate|\w+\.GetCapabilities|\w+\.GetDefaultAddressSpaces) /;

/** Options that only newer versions of Docker send, and options of each engine's own. */
const newerOptions = [
  'com.docker.network.enable_ipv4',
  'com.docker.network.endpoint.name',
  'com.docker.network.endpoint.dnsservers',
];

/** Calls without what differs by nature: IDs are numbered, sets sorted; repeated questions count once. */
function comparable(calls: readonly Call[], names: Map<string, string>): string[] {
  const lines = calls.map(({ method, body = {} }) => {
    const { SandboxKey, ...shown } = body as { SandboxKey?: string; Options?: Record<string, unknown> | null };
    if (SandboxKey !== undefined) Object.assign(shown, { SandboxKey: /\/netns\/[0-9a-f]{12}$/.test(SandboxKey) });
    for (const key of newerOptions) delete shown.Options?.[key];
    // Go writes a nil map as null, an empty one as {}: which of both is chance.
    if (shown.Options && Object.keys(shown.Options).length === 0) shown.Options = null;
    return `${method} ${numbered(JSON.stringify(sorted(shown)), names)}`;
  });
  // Whether a question is asked twice in a row, and in which order a Go map is walked, is chance, too.
  const auxiliary = /RequestAddress .*"Address":"[^"]+","Options":null|ReleaseAddress/;
  for (let at = 0; at < lines.length; at++) {
    let end = at;
    while (auxiliary.test(lines[end] ?? '')) end++;
    if (end > at) lines.splice(at, end - at, ...lines.slice(at, end).sort());
    at = Math.max(at, end - 1);
  }
  return lines.filter((line) => !line.startsWith('NetworkDriver.EndpointOperInfo'));
}

function numbered(text: string, names: Map<string, string>): string {
  return text.replaceAll(/[0-9a-f]{64}/g, (id) => {
    const name = names.get(id) ?? `<${names.size}>`;
    names.set(id, name);
    return name;
  });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

interface Bench {
  plugin: ScriptedNetworkPlugin;
  driver: string;
  /** A step of the scenario: its exit code and the calls that it led to. */
  docker(...args: string[]): Promise<void>;
}

/** Everything that makes dockerd call a network plugin without a swarm. */
async function scenario({ plugin, driver, docker }: Bench): Promise<void> {
  const drivers = ['--driver', driver, '--ipam-driver', driver];
  const network = (...args: string[]) => docker('network', ...args);
  await network(
    'create',
    ...drivers,
    '-o',
    'k=v',
    '--subnet=10.88.1.0/24',
    '--gateway=10.88.1.254',
    '--ip-range=10.88.1.0/25',
    '--aux-address=a=10.88.1.7',
    '--aux-address=b=10.88.1.8',
    '--ipam-opt=io=1',
    '--internal',
    '--attachable',
    '--label=l=1',
    'full',
  );
  await network('create', ...drivers, 'plain');
  await network(
    'create',
    ...drivers,
    '--ipv6',
    '--subnet=fd00:88::/64',
    '--subnet=10.88.2.0/24',
    '--gateway=fd00:88::99',
    'six',
  );

  // Connected before it runs, while it runs, and after (one at a time: of several, dockerd takes any one first).
  await docker(
    'create',
    '--name=main',
    '--network=plain',
    '--network-alias=also',
    '-p=8123:80',
    '-p=127.0.0.1:8200-8202:81/udp',
    '--expose=9',
    '--dns=192.0.2.1',
    '--hostname=host',
    'busybox',
    'sleep',
    '1000',
  );
  await docker('start', 'main');
  await network('connect', '--alias=second', '--ip=10.88.2.50', 'six', 'main');
  await network('connect', '--driver-opt=do=1', 'full', 'main');
  await network('rm', 'full');
  await network('disconnect', 'plain', 'main');
  await network('disconnect', 'six', 'main');
  await docker('restart', '-t=0', 'main');
  await docker('stop', '-t=0', 'main');
  await network('disconnect', 'full', 'main');
  await network('connect', 'plain', 'main');
  await docker('start', 'main');
  await docker('rm', '-f', 'main');

  // A driver that leads out is told of published ports.
  plugin.answers.set('NetworkDriver.Join', async (body) => ({
    ...(await plugin.usual('NetworkDriver.Join', body)),
    Gateway: '10.77.0.1',
    StaticRoutes: [
      { Destination: '10.1.0.0/16', RouteType: 0, NextHop: '10.77.0.1' },
      { Destination: '10.2.0.0/16', RouteType: 1 },
    ],
  }));
  await docker('run', '-d', '--name=out', '--network=plain', '-p=8123:80', '--expose=99', 'busybox', 'sleep', '1000');
  plugin.answers.delete('NetworkDriver.Join');
  await network('connect', 'six', 'out');
  await network('disconnect', '-f', 'plain', 'out');
  await docker('rm', '-f', 'out');
  await docker('run', '--rm', '--network=plain', 'busybox', '/nonexistent');

  // Every step refused. (What cannot be taken back because it is unknown there is not asked again, as under Docker.)
  for (const method of ['RequestPool', 'RequestAddress']) {
    plugin.answers.set(`IpamDriver.${method}`, 'no such luck');
    await docker('run', '--rm', '--network=plain', 'busybox', 'true');
    await network('create', ...drivers, '--subnet=10.88.3.0/24', `refused-${method}`);
    plugin.answers.clear();
  }
  for (const method of [
    'CreateNetwork',
    'CreateEndpoint',
    'Join',
    'ProgramExternalConnectivity',
    'EndpointOperInfo',
    'Leave',
    'DeleteEndpoint',
  ]) {
    plugin.answers.set(`NetworkDriver.${method}`, method.startsWith('Create') ? 'out of luck' : 'no such endpoint');
    await docker('run', '--rm', '--network=plain', 'busybox', 'true');
    plugin.answers.clear();
  }
  // If several are left, dockerd takes them in any order.
  await network('rm', 'six');
  await network('rm', 'full');
  await network('prune', '-f');
}

test.skipIf(!stockDockerdInstalled)('network and IPAM plugins are asked as a stock dockerd asks', async () => {
  const scratch = await mkdtemp('/tmp/cleat-wire-');
  const driver = basename(scratch);
  const plugins = join(scratch, 'plugins');
  await mkdir(plugins);
  const socket = join(plugins, `${driver}.sock`);
  try {
    await using plugin = new ScriptedNetworkPlugin(socket, `w${driver.slice(-5)}`, '10.77');
    await using engine = await startEngine();
    await using stock = await StockDockerd.start([], plugins);
    // Its containers' ports on 127.0.0.1 need one.
    await run('nsenter', [`--net=/proc/${stock.pid}/ns/net`, 'ip', 'link', 'set', 'lo', 'up']);
    await writeFile(join(engine.pluginDirectory, `${driver}.spec`), `unix://${socket}\n`);
    await engine.dockerAt(stock.host, 'import', '-', 'busybox', { input: await busyboxTar() });
    const theirs = await record(engine, stock.host, stock.pid, plugin, driver);
    const ours = await record(engine, `unix://${engine.socket}`, engine.pid, plugin, driver);
    expect(ours).toEqual(theirs);
  } finally {
    await rm(scratch, { recursive: true });
  }
});

async function record(engine: Engine, host: string, pid: number, plugin: ScriptedNetworkPlugin, driver: string) {
  plugin.serves(pid);
  const names = new Map<string, string>();
  const steps: { command: string; code: number; calls: string[] }[] = [];
  await scenario({
    plugin,
    driver,
    async docker(...args) {
      // A version that both speak.
      const { code } = await engine.dockerAt(host, ...args, { env: { DOCKER_API_VERSION: '1.41' } });
      const calls = comparable(plugin.taken(), names);
      // Every dockerd that runs on this host asks every plugin there what it is, at any time.
      const asked = steps.length === 0 ? calls : calls.filter((call) => !introduction.test(call));
      steps.push({ command: args.join(' '), code, calls: asked });
    },
  });
  return { steps, held: [...plugin.held].map((what) => numbered(what, names)) };
}
