import { expect, test } from 'vitest';
import { run } from '../process/run.js';
import { forwardScript, readForwardRules } from './forward.js';
import { type FirewallNetwork, type PublishedPort, portElement, ruleset } from './ruleset.js';

const network = (bridge: string, more: Partial<FirewallNetwork> = {}): FirewallNetwork => ({
  bridge,
  subnets: ['10.97.1.0/24'],
  masquerade: true,
  icc: true,
  internal: false,
  ...more,
});
const port = (more: Partial<PublishedPort> = {}): PublishedPort => ({
  protocol: 'tcp',
  hostIp: '0.0.0.0',
  hostPort: 8080,
  containerIp: '10.97.1.2',
  containerPort: 80,
  ...more,
});

/** In a namespace of its own, so that nothing of the host changes. */
const isolated = (script: string, input: string) => run('unshare', ['--net', 'sh', '-ec', script], { input });

test('nft takes the whole table, twice over, and single ports', async () => {
  const ports = [
    port(),
    port({ hostIp: '127.0.0.1', protocol: 'udp' }),
    port({ hostIp: '::', containerIp: 'fd00:97::2' }),
    port({ hostIp: 'fd00::1', containerIp: 'fd00:97::2', protocol: 'sctp' }),
  ];
  const networks = [
    network('br-a', { subnets: ['10.97.1.0/24', 'fd00:97::/64'] }),
    network('br-b', { subnets: ['10.97.2.0/24'], icc: false, internal: true, masquerade: false }),
  ];
  const script = ruleset('cleat_test', networks, ports);
  const { map, key } = portElement(port({ hostIp: '127.0.0.1', protocol: 'udp' }));
  const input = `${script}${script}delete element inet cleat_test ${map} { ${key} }\n`;
  const result = await isolated('nft -f - && nft list table inet cleat_test', input);
  expect(result.stderr).toBe('');
  expect(result.stdout).toContain('tcp . 8080 : 10.97.1.2 . 80');
  expect(result.stdout).toContain('fd00::1 . sctp . 8080 : fd00:97::2 . 80');
  expect(result.stdout).not.toContain('127.0.0.1 .');
  expect(result.stdout).toContain('iifname "br-b" oifname "br-b" drop');
  const empty = await isolated('nft -f -', ruleset('cleat_test', [], []));
  expect(empty.stderr).toBe('');
});

test('tagged rules appear only where FORWARD would drop, and follow the bridges', async () => {
  const tag = 'cleat:abc';
  expect(readForwardRules('-P FORWARD ACCEPT\n', tag).chain).toBeUndefined();
  const docker = '-P FORWARD DROP\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n';
  expect(readForwardRules(docker, tag).chain).toBe('DOCKER-USER');

  const first = forwardScript(readForwardRules('-P FORWARD DROP\n', tag), ['br-a', 'br-b'], tag);
  const list = (script: string) =>
    isolated('iptables -P FORWARD DROP; iptables-restore --noflush; iptables -S', script).then((r) => r.stdout);
  const listing = await list(first);
  expect(listing).toContain('-A FORWARD -i br-a -m comment --comment "cleat:abc" -j ACCEPT');
  const rules = readForwardRules(listing, tag);
  expect(rules.present).toHaveLength(4);
  expect(forwardScript(rules, ['br-a', 'br-b'], tag)).toBe('');
  expect(readForwardRules(listing, 'cleat:other').present).toEqual([]);
  // A bridge of somebody else has one rule, for what stays on it.
  const lent = forwardScript(rules, ['br-a'], tag, ['br-b']);
  const both = await list(`${first}${lent}`);
  expect(both.split('\n').filter((line) => line.includes('br-b'))).toEqual([
    '-A FORWARD -i br-b -o br-b -m comment --comment "cleat:abc" -j ACCEPT',
  ]);
  expect(forwardScript(readForwardRules(both, tag), ['br-a'], tag, ['br-b'])).toBe('');
  // The policy was put back: what we left must go, too.
  const left = await list(`${first}${forwardScript({ ...rules, chain: undefined }, ['br-a'], tag)}`);
  expect(left).not.toContain('cleat:abc');
});
