import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountAll } from '@cleat/linux/mount/mount';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Program } from '../../e2e/support/program.js';
import { differences, expectedAccounts, generalized } from './accounts.js';
import { type JournalEvent, journalComplaints } from './journal.js';
import { changes, type Owner, tracesOf } from './traces.js';

/** A check that cannot fail is worth nothing: each is shown something that was left behind. */
describe('traces', () => {
  let directory: string;
  let owner: Owner;
  let before: string[];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cle-traces-'));
    const [dataRoot, execRoot] = [join(directory, 'data'), join(directory, 'run')];
    for (const path of [join(dataRoot, 'containers'), join(dataRoot, 'extensions/ipam'), execRoot]) {
      mkdirSync(path, { recursive: true });
    }
    writeFileSync(join(dataRoot, 'engine-id'), randomUUID());
    const tag = directory.slice(-6).replace(/\W/g, '');
    owner = { pid: process.pid, dataRoot, execRoot, cgroupParent: `chaos-${tag}`, linkPrefix: tag };
    before = tracesOf(owner);
  });
  afterEach(() => {
    unmountAll(directory);
    rmSync(directory, { recursive: true, force: true });
  });
  const left = () => changes(before, tracesOf(owner));

  test('nothing is found where nothing is left', () => {
    expect(left()).toEqual([]);
  });

  test('a mount, a file, and one that is gone', () => {
    const path = join(owner.execRoot, 'bundle');
    mkdirSync(path);
    before = tracesOf(owner);
    execFileSync('mount', ['-t', 'tmpfs', 'leaked', path]);
    expect(left()).toEqual([`left behind: mount ${path} (tmpfs)`]);
    unmountAll(path);
    rmSync(path, { recursive: true });
    expect(left()).toEqual([`gone: file ${path}`]);
  });

  test('a network namespace', () => {
    const path = join(owner.execRoot, 'netns');
    writeFileSync(path, '');
    execFileSync('unshare', [`--net=${path}`, 'true']);
    expect(left()).toContain(`left behind: mount ${path} (nsfs)`);
  });

  test('an interface and a firewall rule', () => {
    const name = `${owner.linkPrefix}0`;
    execFileSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`]);
    try {
      expect(left()).toContain(`left behind: interface ${name}`);
    } finally {
      execFileSync('ip', ['link', 'delete', name]);
    }
    const id = execFileSync('cat', [join(owner.dataRoot, 'engine-id')], { encoding: 'utf8' });
    const table = `cleat_${id.replaceAll('-', '').slice(0, 12)}`;
    execFileSync('nft', ['add', 'table', 'inet', table]);
    try {
      expect(left()).toContain(`left behind: firewall table inet ${table} {`);
    } finally {
      execFileSync('nft', ['delete', 'table', 'inet', table]);
    }
    const tag = `cleat:${id.replaceAll('-', '').slice(0, 12)}`;
    const rule = ['FORWARD', '-i', name, '-m', 'comment', '--comment', tag, '-j', 'ACCEPT'];
    execFileSync('iptables', ['-w', '-A', ...rule]);
    try {
      expect(left()).toContainEqual(expect.stringMatching(`left behind: firewall .* -i ${name} .*${tag}`));
    } finally {
      execFileSync('iptables', ['-w', '-D', ...rule]);
    }
  });

  test('a process', async () => {
    await using _left = new Program(process.execPath, ['-e', 'setInterval(() => {}, 1000)', `${owner.execRoot}/x`]);
    await expect.poll(left).toContainEqual(expect.stringMatching(/^left behind: process .*setInterval/));
  });

  test('an address that a battery counts as taken', () => {
    const path = join(owner.dataRoot, 'extensions/ipam/pools');
    writeFileSync(path, '["a",{"taken":["10.0.0.2"]}]\n["b",1]\n["b"]\n');
    expect(left()).toEqual(['left behind: state of ipam/pools: a {"taken":["10.0.0.2"]}']);
  });
});

describe('accounts', () => {
  const drivers = { volume: 'v', network: 'n', ipam: 'i', log: 'l', authz: '' };
  const container = (Running: boolean) => ({
    Id: 'c1',
    Name: '/c1',
    State: { Running },
    HostConfig: { LogConfig: { Type: 'l' } },
    Mounts: [{ Type: 'volume', Driver: 'v', Name: 'data' }],
    NetworkSettings: { Networks: { net: { IPAddress: '10.0.0.2' } } },
  });
  const networks = [
    {
      Id: 'n1',
      Name: 'net',
      Driver: 'n',
      IPAM: { Driver: 'i', Config: [{ Subnet: '10.0.0.0/24', Gateway: '10.0.0.1' }] },
    },
  ];
  const expected = (Running: boolean) =>
    expectedAccounts({ containers: [container(Running)], networks, volumes: ['data'] }, { drivers, execRoot: '/run' });

  test('hold what runs', () => {
    expect(expected(true)).toEqual({
      volume: ['mount data', 'volume data'],
      log: ['logging /run/log/c1'],
      network: ['endpoint', 'join', 'network n1'],
      ipam: ['address 10.0.0.0/24 10.0.0.1', 'address 10.0.0.0/24 10.0.0.2', 'pool 10.0.0.0/24'],
    });
    expect(expected(false)).toMatchObject({ volume: ['volume data'], log: [], network: ['network n1'] });
  });

  test('a mount that nobody needs, a second one, and one that was lost', () => {
    const open = ['mount data 4711', 'mount data 4712', 'volume data'].map(generalized);
    expect(differences('v', open, expected(false).volume)).toEqual([
      'v still has: mount data',
      'v still has: mount data',
    ]);
    expect(differences('v', open, expected(true).volume)).toEqual(['v still has: mount data']);
    expect(differences('v', ['volume data'], expected(true).volume)).toEqual(['v does not know of: mount data']);
  });
});

describe('the journal', () => {
  const event = (Type: string, Action: string, ID: string, container?: string): JournalEvent => ({
    Type,
    Action,
    Actor: { ID, Attributes: container ? { container } : {} },
    timeNano: 0,
  });

  test('is balanced, although several containers use a volume meanwhile', () => {
    const events = [
      event('container', 'start', 'a'),
      event('volume', 'mount', 'v', 'a'),
      event('volume', 'mount', 'v', 'b'),
      event('volume', 'unmount', 'v', 'a'),
      event('container', 'die', 'a'),
      event('volume', 'unmount', 'v', 'b'),
    ];
    expect(journalComplaints(events)).toEqual([]);
  });

  test('says disconnect of what does not run, when a client asked for it, and once for each time', () => {
    const network = (action: string): JournalEvent => ({
      Type: 'network',
      Action: action,
      Actor: { ID: 'n', Attributes: { name: 'net', container: 'a' } },
      timeNano: 0,
    });
    const events = [network('connect'), network('disconnect'), network('disconnect')];
    const complaint = 'network n of a has an event disconnect without its connect';
    expect(journalComplaints(events, ['net'])).toEqual([]);
    expect(journalComplaints(events, ['other'])).toEqual([complaint]);
    expect(journalComplaints([...events, network('disconnect')], ['net'])).toEqual([complaint]);
  });

  test('an end without a beginning, a beginning without an end, two beginnings', () => {
    const start = event('container', 'start', 'a');
    const die = event('container', 'die', 'a');
    expect(journalComplaints([die])).toEqual(['container a has an event die without its start']);
    expect(journalComplaints([start, die, start])).toEqual(['container a has an event start without its die']);
    expect(journalComplaints([start, start, die, die])).toEqual([
      'container a has two events start and no die between',
    ]);
    expect(journalComplaints([event('volume', 'mount', 'v', 'a')])).toEqual([
      'volume v of a has an event mount without its unmount',
    ]);
  });
});
