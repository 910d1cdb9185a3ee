import { join } from 'node:path';
import { assertForward } from '@cleat/linux/firewall/forward';
import { interfaceNames } from '@cleat/linux/net/facts';
import { run } from '@cleat/linux/process/run';
import { afterEach, expect, test } from 'vitest';
import { BothEngines } from '../support/both-engines.js';

/** The name of interfaces of this run alone. */
const prefix = `x${(process.pid % 1000).toString().padStart(3, '0')}`;

const ours = () => [...interfaceNames()].filter((name) => name.startsWith(prefix));
afterEach(async () => {
  // A test that failed in the middle may have left some.
  for (const name of ours()) await run('ip', ['link', 'delete', name]);
  await assertForward([], `${prefix}-network`);
});

test('containers reach each other by name over veth-network and file-ipam, on both engines', async () => {
  {
    await using both = await BothEngines.start();
    const source = `${both.cleat.prefix}.64.0/18`;
    for (const side of both.sides) {
      const { ok } = side;
      const network = await both.startExample('veth-network', (own) => ['--root', own, '--prefix', prefix], side);
      const file = (own: string) => ['--file', join(own, 'addresses.json'), '--source', source];
      const ipam = await both.startExample('file-ipam', file, side);
      const drivers = ['--driver', network.driver, '--ipam-driver', ipam.driver];
      await ok('network', 'create', ...drivers, 'wires');
      await ok('run', '-d', '--name=pong', '--network=wires', 'busybox', 'sleep', '1000');
      const address = await ok('inspect', '-f', '{{.NetworkSettings.Networks.wires.IPAddress}}', 'pong');
      expect(address).toMatch(new RegExp(`^${both.cleat.prefix.replace('.', '\\.')}\\.`));
      for (const target of [address, 'pong']) {
        const ping = ['busybox', 'ping', '-c', '1', '-W', '5', target];
        expect(await ok('run', '--rm', '--network=wires', ...ping)).toContain('1 packets received');
      }
      await network.kill();
      await network.start();
      await ok('run', '--rm', '--network=wires', 'busybox', 'ping', '-c', '1', '-W', '5', 'pong');
      await ok('rm', '-f', 'pong');
      await ok('network', 'rm', 'wires');
    }
  }
  expect(ours()).toEqual([]);
});
