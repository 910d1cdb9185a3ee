import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../process/run.js';
import { hostState, interfaceNames, linkFacts, routedV4 } from './facts.js';
import { HostLinks } from './links.js';
import { createNamespace, inNamespace, removeNamespace, userNamespaceOf } from './namespace.js';

let directory: string;
let links: HostLinks;
const suffix = randomBytes(3).toString('hex');
const [outer, inner] = [`tn${suffix}a`, `tn${suffix}b`];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-net-'));
  links = new HostLinks();
});
afterEach(async () => {
  links.close();
  await run('ip', ['link', 'del', outer]);
  rmSync(directory, { recursive: true, force: true });
});

test('an interface is moved into a namespace, configured there, and dies with it', async () => {
  const path = join(directory, 'ns', 'one');
  const namespace = await createNamespace(path);
  try {
    await links.run([
      `link add ${outer} type veth peer name ${inner}`,
      `link set ${outer} alias cleat-test`,
      `link set ${outer} up`,
      `link set ${inner} netns ${namespace.pid}`,
    ]);
    await namespace.configure([
      `link set ${inner} name eth0`,
      'address add 10.98.1.2/24 dev eth0',
      'link set eth0 up',
      'route add default via 10.98.1.1',
    ]);
    expect(await linkFacts(outer)).toMatchObject({ kind: 'veth', alias: 'cleat-test' });
    const inside = await run('nsenter', [`--net=${path}`, 'ip', '-br', 'address']);
    expect(inside.stdout).toMatch(/^lo .*127\.0\.0\.1\/8/m);
    expect(inside.stdout).toMatch(/^eth0@\S+ +UP +10\.98\.1\.2\/24/m);
    expect(interfaceNames()).toContain(outer);
  } finally {
    removeNamespace(path);
  }
  expect(existsSync(path)).toBe(false);
  for (let tries = 0; interfaceNames().has(outer) && tries < 100; tries++) await sleep(20);
  expect(interfaceNames()).not.toContain(outer);
});

test('a failing command is named with the words of ip, and the rest is not run', async () => {
  const failing = links.run([`link set ${outer} up`, `link add ${outer} type veth peer name ${inner}`]);
  await expect(failing).rejects.toThrow(`ip link set ${outer} up: Cannot find device "${outer}"`);
  expect(interfaceNames()).not.toContain(outer);
  await links.run(['link show dev lo']);

  const path = join(directory, 'two');
  const namespace = await createNamespace(path);
  await expect(namespace.configure(['link set nothing up'])).rejects.toThrow('ip link set nothing up: Cannot find');
  await expect(inNamespace(path, ['address add 10.98.2.1/33 dev lo'])).rejects.toThrow(/10\.98\.2\.1\/33/);
  removeNamespace(path);
  removeNamespace(path);
});

test('an interface is there until it is deleted, and serves its addresses while it is up', async () => {
  const [four, six] = ['10.98.3.1/24', 'fd09:98:3::1/64'] as const;
  const state = () => {
    const host = hostState();
    return [host.has(outer), host.serves(outer, four), host.serves(outer, six)];
  };
  expect(state()).toEqual([false, false, false]);
  await links.run([
    `link add ${outer} type bridge`,
    `address add ${four} dev ${outer}`,
    `address add ${six} nodad dev ${outer}`,
    `link set ${outer} up`,
  ]);
  expect(state()).toEqual([true, true, true]);
  await links.run([`address delete ${six} dev ${outer}`]);
  expect(state()).toEqual([true, true, false]);
  await links.run([`link set ${outer} down`]);
  expect(state()).toEqual([true, false, false]);
  await links.run([`link delete ${outer}`]);
  expect(state()).toEqual([false, false, false]);
});

test('batches of several callers do not mix', async () => {
  const failures = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => links.run([n % 2 ? 'link set lo up' : `link set none${n} up`])),
  );
  for (const [n, outcome] of failures.entries()) {
    if (n % 2) expect(outcome.status).toBe('fulfilled');
    else expect(outcome).toMatchObject({ reason: { message: expect.stringContaining(`"none${n}"`) } });
  }
});

test('the routing table of the kernel', () => {
  const table = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
br-1\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
`;
  expect(routedV4(table)).toEqual(['192.0.2.0/24', '172.18.0.0/16']);
});

test('a namespace that belongs to a user namespace: its root configures it, and another one can belong to the same', async () => {
  const maps = {
    users: [{ inside: 0, outside: 300_000, count: 10 }],
    groups: [{ inside: 0, outside: 300_000, count: 10 }],
  };
  const [one, two] = [join(directory, 'one'), join(directory, 'two')];
  try {
    (await createNamespace(one, { maps })).abandon();
    (await createNamespace(two, { path: userNamespaceOf(one) })).abandon();
    for (const path of [one, two]) {
      const { code, stdout } = await run('nsenter', [
        `--net=${path}`,
        `--user=${userNamespaceOf(path)}`,
        'sh',
        '-c',
        'cat /proc/self/uid_map; ip link set lo mtu 1400 && ip link show lo',
      ]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/0 +300000 +10\n.*UP.* mtu 1400/s) });
    }
  } finally {
    for (const path of [one, two]) removeNamespace(path);
  }
  expect([one, two, userNamespaceOf(one), userNamespaceOf(two)].filter(existsSync)).toEqual([]);
});
