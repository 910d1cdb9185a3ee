import { createSocket } from 'node:dgram';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, test as always, beforeAll, expect } from 'vitest';
import { clientOf } from './support/client.js';
import { Compose, composeVersions } from './support/compose.js';
import { type Engine, startEngine } from './support/engine.js';
import { freePort, freePortsFrom } from './support/ports.js';
import { Program } from './support/program.js';

/** Networks as files of Compose describe them, by each Compose that is installed, at the same time on one engine. */
const test = always.skipIf(composeVersions.length === 0);
/** Each command of the old Compose takes a second of a processor. */
const slowMs = 600_000;

interface Project {
  compose: Compose;
  /** The first three numbers of its addresses. */
  net: string;
  six: string;
  ports: { web: number; range: number; udp: number };
}

let engine: Engine;
let projects: Project[];
const { ok } = clientOf(() => engine);

beforeAll(async () => {
  if (composeVersions.length === 0) return;
  engine = await startEngine();
  await ok('network', 'create', 'outside');
  projects = await Promise.all(composeVersions.map(projectOf));
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  for (const { compose } of projects ?? []) await rm(compose.directory, { recursive: true, force: true });
}, slowMs);

async function projectOf(version: (typeof composeVersions)[number], at: number): Promise<Project> {
  const compose = new Compose(
    version,
    `nets${version}`,
    join('/tmp', `cleat-compose-${process.pid}-${version}`),
    engine.socket,
  );
  const [net, six] = [`${engine.prefix}.${200 + at}`, `fd00:c1ea:${at + 1}`];
  const ports = { web: await freePort(), range: await freePortsFrom(3), udp: await freePort() };
  await writeFile(join(compose.directory, 'compose.yaml'), file(net, six, ports));
  return { compose, net, six, ports };
}

const file = (net: string, six: string, { web, range, udp }: Project['ports']): string => `
x-usual: &usual {image: busybox, init: true, stop_grace_period: 1s}
services:
  web:
    <<: *usual
    command: sh -c 'echo it is the web >index.html; httpd -p 80; exec httpd -f -p 7001'
    hostname: webhost
    networks:
      front: {aliases: [alpha, shared], priority: 100}
      fixed: {ipv4_address: ${net}.10, ipv6_address: '${six}::10', aliases: [shared]}
      outside: {}
    ports:
      - {target: 80, published: ${web}, protocol: tcp}
      - '127.0.0.1:${range}-${range + 2}:7000-7002'
      - '127.0.0.1:${udp}:53/udp'
    extra_hosts: ['somewhere:192.0.2.7']
    dns: [192.0.2.53]
    dns_search: [example.test]
    dns_opt: ['ndots:2']
  client:
    <<: *usual
    command: sleep 1000
    depends_on: [web]
    links: ['web:friend']
    networks: {front: {aliases: [shared]}}
  beside:
    <<: *usual
    command: sleep 1000
    depends_on: [web]
    network_mode: service:web
  alone:
    <<: *usual
    command: sleep 1000
    network_mode: none
  later:
    <<: *usual
    profiles: [late]
    command: sleep 1000
    networks: [fixed]
networks:
  front:
    driver_opts: {com.docker.network.driver.mtu: '1400'}
    labels: {tier: front}
    attachable: true
  fixed:
    internal: true
    enable_ipv6: true
    ipam:
      config:
        - {subnet: ${net}.0/24, gateway: ${net}.254, ip_range: ${net}.128/25, aux_addresses: {router: ${net}.129}}
        - {subnet: '${six}::/64', gateway: '${six}::fe'}
  outside: {external: true}
`;

const onEach = async (work: (project: Project) => Promise<unknown>): Promise<void> => {
  await Promise.all(projects.map(work));
};

const inside = async ({ compose }: Project, service: string, command: string): Promise<string> =>
  await ok('exec', compose.container(service), 'sh', '-c', command);

interface Inspected {
  NetworkSettings: {
    Networks: Record<string, { IPAddress: string; GlobalIPv6Address: string; MacAddress: string; Aliases: string[] }>;
  };
}

async function networksOf({ compose }: Project, service: string): Promise<Inspected['NetworkSettings']['Networks']> {
  const [found] = JSON.parse(await ok('inspect', compose.container(service))) as Inspected[];
  return found?.NetworkSettings.Networks ?? {};
}

test(
  'up: addresses, names and ways out are as the file says',
  async () => {
    await onEach(async (project) => {
      const { compose, net, six } = project;
      await compose.ok('up', '-d');
      const [front, fixed] = [`${compose.project}_front`, `${compose.project}_fixed`];
      const networks = await networksOf(project, 'web');
      expect(Object.keys(networks).toSorted()).toEqual([fixed, front, 'outside']);
      expect(networks[fixed]).toMatchObject({ IPAddress: `${net}.10`, GlobalIPv6Address: `${six}::10` });
      expect(networks[front]?.Aliases).toEqual(expect.arrayContaining(['alpha', 'shared', 'web']));

      const addresses = await inside(project, 'web', 'ip -o address');
      expect(addresses).toContain(`inet ${net}.10/24`);
      expect(addresses).toContain(`inet6 ${six}::10/64`);
      expect(await inside(project, 'web', 'ip route')).not.toMatch(new RegExp(`default via ${net}`));
      expect(await inside(project, 'client', 'cat /sys/class/net/eth0/mtu')).toBe('1400');
      const files = await inside(project, 'web', 'hostname; cat /etc/hosts /etc/resolv.conf');
      expect(files).toMatch(/^webhost$/m);
      expect(files).toMatch(/^192\.0\.2\.7\s+somewhere$/m);
      expect(files).toMatch(/^search example\.test$/m);
      expect(files).toMatch(/^options .*ndots:2/m);

      // One container on the network has the alias, and the client itself.
      const own = (await networksOf(project, 'client'))[front]?.IPAddress;
      const shared = await inside(project, 'client', 'nslookup shared');
      for (const address of [own, networks[front]?.IPAddress]) expect(shared).toContain(`Address: ${address}`);
      for (const name of ['web', 'alpha', 'friend', compose.container('web')]) {
        expect(await inside(project, 'client', `wget -qO- http://${name}/`)).toBe('it is the web');
      }
      expect(await inside(project, 'beside', 'wget -qO- http://127.0.0.1/')).toBe('it is the web');
      expect(await inside(project, 'alone', 'ls /sys/class/net')).toBe('lo');
    });
  },
  slowMs,
);

test(
  'published ports answer from the host: a range, one of UDP, and one in the long form',
  async () => {
    await onEach(async (project) => {
      const { compose, ports } = project;
      const page = async (port: number) => await (await fetch(`http://127.0.0.1:${port}/`)).text();
      expect(await page(ports.web)).toBe('it is the web\n');
      expect(await page(ports.range + 1)).toBe('it is the web\n');
      const pid = await ok('inspect', '-f', '{{.State.Pid}}', compose.container('web'));
      await using _echo = new Program('nsenter', ['-t', pid, '-n', 'socat', 'UDP-RECVFROM:53,fork', 'EXEC:cat']);
      expect(await echo(ports.udp, 'over UDP')).toBe('over UDP');
      const told = async (...args: string[]) => (await compose.ok('port', ...args)).stdout.trim();
      expect(await told('web', '80')).toBe(`0.0.0.0:${ports.web}`);
      expect(await told('web', '7002')).toBe(`127.0.0.1:${ports.range + 2}`);
      expect(await told('--protocol', 'udp', 'web', '53')).toBe(`127.0.0.1:${ports.udp}`);
    });
  },
  slowMs,
);

test(
  'up again changes nothing; a restart keeps the addresses; a profile joins; down leaves nothing',
  async () => {
    await onEach(async (project) => {
      const { compose, net } = project;
      const id = () => ok('inspect', '-f', '{{.Id}}', compose.container('web'));
      const [before, addresses] = [await id(), await networksOf(project, 'web')];
      await compose.ok('up', '-d');
      expect(await id()).toBe(before);
      await compose.ok('restart', '-t', '1', 'web');
      const fixed = `${compose.project}_fixed`;
      expect((await networksOf(project, 'web'))[fixed]?.IPAddress).toBe(`${net}.10`);
      expect(Object.keys(await networksOf(project, 'web'))).toEqual(Object.keys(addresses));
      await compose.ok('--profile', 'late', 'up', '-d');
      // Not the address that the file keeps for somebody else, nor one below its range.
      expect((await networksOf(project, 'later'))[fixed]?.IPAddress).toBe(`${net}.128`);
      await compose.ok('--profile', 'late', 'down', '-t', '1');
      const own = ['--filter', `label=com.docker.compose.project=${compose.project}`];
      expect(await ok('ps', '-aq', ...own)).toBe('');
      expect(await ok('network', 'ls', '-q', ...own)).toBe('');
    });
    expect(await ok('network', 'inspect', '-f', '{{len .Containers}}', 'outside')).toBe('0');
  },
  slowMs,
);

always.runIf(composeVersions.includes('v2'))(
  'Compose v2: the network of the highest priority comes first; a network that an orphan is on stays until that goes',
  async () => {
    const directory = join('/tmp', `cleat-compose-${process.pid}-orphans`);
    const compose = new Compose('v2', 'orphans', directory, engine.socket, { COMPOSE_IGNORE_ORPHANS: 'false' });
    const service = '{image: busybox, init: true, stop_grace_period: 1s, command: sleep 1000, networks: ';
    const kept = `services:
  one: ${service}{aa: {priority: 1}, zz: {priority: 100, mac_address: '02:42:00:00:00:0b'}}}
networks: {aa: {}, zz: {}}
`;
    const write = (text: string) => writeFile(join(directory, 'compose.yaml'), text);
    try {
      await write(kept.replace('networks: {aa: {}, zz: {}}', `  gone: ${service}[aa]}\nnetworks: {aa: {}, zz: {}}`));
      await compose.ok('up', '-d');
      const one = compose.container('one');
      expect(await ok('inspect', '-f', '{{.HostConfig.NetworkMode}}', one)).toBe('orphans_zz');
      expect(await ok('exec', one, 'cat', '/sys/class/net/eth0/address')).toBe('02:42:00:00:00:0b');
      await write(kept);
      const down = await compose.ok('down', '-t', '1');
      expect(down.stderr).toMatch(/Network orphans_aa\s+Resource is still in use/);
      const networks = () => ok('network', 'ls', '--format', '{{.Name}}', '--filter', 'name=orphans_');
      expect(await networks()).toBe('orphans_aa');
      expect(await ok('exec', compose.container('gone'), 'ls', '/sys/class/net')).toContain('eth0');
      await compose.ok('down', '-t', '1', '--remove-orphans');
      expect(await networks()).toBe('');
      expect(await ok('ps', '-aq', '--filter', 'label=com.docker.compose.project=orphans')).toBe('');
    } finally {
      await compose.ok('down', '-t', '1', '--remove-orphans').catch(() => {}); // The first error is the one to be seen.
      await rm(directory, { recursive: true, force: true });
    }
  },
  slowMs,
);

/** An answer to a datagram, which may be lost on the way while the server starts. */
async function echo(port: number, text: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    const answer = new Promise<string>((resolve, reject) => {
      socket.once('message', (message) => resolve(message.toString()));
      socket.on('error', reject);
    });
    const asking = setInterval(() => socket.send(text, port, '127.0.0.1'), 100);
    socket.send(text, port, '127.0.0.1');
    return await answer.finally(() => clearInterval(asking));
  } finally {
    socket.close();
  }
}
