import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { expect, test } from 'vitest';
import { hasDhcpServers } from './support/dhcp-server.js';
import { checkout } from './support/documents.js';

/** Our own network and IPAM plugins, as their authors verify them. */
interface Verified {
  readonly name: string;
  /** How it is started: its socket is in the directory, and so is all else that it writes. */
  start(directory: string, socket: string): string;
  /** For the process that hosts a battery. */
  options?(directory: string): Record<string, unknown>;
  /** More cases than that pass; default: 40. Others do not apply to one that does less. */
  passes?: number;
  /** Commands of its host, before it is started: `$1` is the directory. */
  host?: string;
  /** Arguments of `cleat verify`. */
  flags?: readonly string[];
  /** Words of a case that fails because of this host's kernel. */
  lacks?: string;
}

/**
 * A battery as a process of its own; and as an engine has it that loaded it. HTTP, kills and what becomes of interfaces
 * are tried on the former alone: there is none of the first, a kill ends the engine as well, and the last is the same code.
 */
function battery(name: string, options: Verified['options'] = () => ({}), more: Partial<Verified> = {}): Verified[] {
  const { flags = [], passes = 40 } = more;
  const by = (host: string) => (_: string, socket: string) =>
    `exec node ${host} ${join(checkout, 'batteries/dist', name, 'main.js')} ${socket}`;
  const inside = ['--only', 'network/,ipam/', '--skip', '*crash*,network/leave*'];
  return [
    { name, ...more, start: by('sdk/dist/host.js'), options },
    {
      ...{ name: `${name} in process`, ...more, start: by('test/e2e/support/in-process-host.mjs'), options },
      ...{ flags: [...flags, ...inside], passes: passes - 20 },
    },
  ];
}

const plugins: Verified[] = [
  ...battery('network-bridge', (directory) => ({ engineId: 'verified', stateDir: join(directory, 'state') })),
  ...battery('network-macvlan', (directory) => ({ engineId: 'verified', stateDir: join(directory, 'state') })),
  ...battery('network-ipvlan', (directory) => ({ engineId: 'verified', stateDir: join(directory, 'state') }), {
    lacks: 'this kernel makes no ipvlan links',
  }),
  ...battery('network-host'),
  ...battery('network-none'),
  ...battery('ipam-default', (directory) => ({ stateDir: join(directory, 'state') })),
  ...battery('ipam-null', undefined, { passes: 20 }),
  // With a DHCP server at the other end of a cable.
  ...(hasDhcpServers
    ? [
        ...battery('ipam-dhcp', (directory) => ({ stateDir: join(directory, 'state') }), {
          host: `ip link add near type veth peer name far && ip link set near up && ip link set far up &&
            ip address add 10.9.8.1/24 dev far && dnsmasq --conf-file=/dev/null --user=root --port=0 --no-ping \
              --interface=far --dhcp-range=10.9.8.20,10.9.8.200,255.255.255.0,2m --dhcp-leasefile=$1/leases --pid-file=$1/pid`,
          flags: ['--ipam-opt', 'parent=near'],
          passes: 25,
        }),
      ]
    : []),
  {
    name: 'veth-network',
    start: (directory, socket) =>
      `exec node examples/veth-network/dist/main.js --root ${directory}/root --prefix vf --socket ${socket}`,
  },
  {
    name: 'file-ipam',
    start: (directory, socket) =>
      `exec node examples/file-ipam/dist/main.js --file ${directory}/addresses.json --socket ${socket}`,
  },
];

// Each waits for its plugin most of the time, on a host of its own: several at once.
test.concurrent.each(plugins)(
  '$name is what engines expect',
  async ({ name, start, options, passes = 40, lacks, host = 'true', flags = [] }) => {
    const directory = await mkdtemp('/tmp/cleat-verify-');
    try {
      const socket = join(directory, 'p.sock');
      const report = join(directory, 'report.json');
      const verify = ['./bin/cleat', 'verify', socket, '--start', start(directory, socket), '--strict', ...flags];
      // On a host of its own, as it were: whatever is left there goes with it, and nobody else's interfaces are in the way.
      const alone = [
        '--net',
        '--pid',
        '--fork',
        '--kill-child',
        '--propagation=slave',
        '--mount-proc',
        'sh',
        '-c',
        `ip link set lo up && ${host} && shift && exec "$@"`,
        'sh',
        directory,
      ];
      const { code, stderr } = await run('unshare', [...alone, ...verify, '--format', 'json', '--output', report], {
        cwd: checkout,
        env: { ...process.env, CLEAT_EXTENSION: JSON.stringify({ name, options: options?.(directory) ?? {} }) },
        deadlineMs: 240_000,
      });
      expect(stderr).toBe('');
      const { results } = JSON.parse(await readFile(report, 'utf8')) as Report;
      const bad = results.filter(({ outcome, leftBehind }) => !isGood(outcome) || (leftBehind ?? []).length > 0);
      // Where the kernel has no such links, that is all there is to say of it, and nothing is left.
      const excused = bad.filter(({ message, leftBehind }) => lacks && message?.includes(lacks) && !leftBehind?.length);
      expect(bad.filter((result) => !excused.includes(result))).toEqual([]);
      if (excused.length > 0) return;
      expect(code).toBe(0);
      expect(results.filter(({ outcome }) => outcome === 'passed').length).toBeGreaterThan(passes);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);

interface Report {
  results: { outcome: string; message?: string; leftBehind?: string[] }[];
}

const isGood = (outcome: string): boolean => outcome === 'passed' || outcome === 'skipped';
