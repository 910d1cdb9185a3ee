import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { run } from '../process/run.js';
import { Firewall } from './firewall.js';
import type { FirewallNetwork, PublishedPort } from './ruleset.js';

const table = `cleat_mend_${randomBytes(3).toString('hex')}`;
const other = `${table}_other`;
const network: FirewallNetwork = {
  bridge: 'br-mend',
  subnets: ['10.97.3.0/24'],
  masquerade: true,
  icc: true,
  internal: false,
};
const ports: PublishedPort[] = [80, 81].map((containerPort) => ({
  protocol: 'tcp',
  hostIp: '10.97.3.1',
  hostPort: containerPort,
  containerIp: '10.97.3.2',
  containerPort,
}));

const nft = async (script: string): Promise<void> =>
  expect(await run('nft', ['-f', '-'], { input: `${script}\n` })).toMatchObject({ code: 0, stderr: '' });
/** Somebody else's change, which has nothing to do with our table. */
const change = () => nft(`table inet ${other} {\nchain c${randomBytes(3).toString('hex')} { }\n}`);

afterEach(async () => {
  for (const name of [table, other]) await nft(`table inet ${name}\ndelete table inet ${name}`);
});

test('a table is made anew when it is damaged, and only then, however often others change theirs', async () => {
  const firewall = new Firewall(table);
  await firewall.apply([network], ports);
  for (const damage of ['flush table', 'flush map', 'delete table', 'flush table']) {
    for (let round = 0; round < 3; round++) {
      await change();
      expect(await firewall.mend()).toBe(false);
    }
    await nft(`${damage} inet ${table} ${damage === 'flush map' ? 'published_on' : ''}`);
    expect(await firewall.mend()).toBe(true);
  }
  await firewall.unpublish(ports.slice(1));
  await change();
  expect(await firewall.mend()).toBe(false);
  await firewall.publish(ports.slice(1));
  await change();
  expect(await firewall.mend()).toBe(false);
  await firewall.remove();
  expect(await firewall.mend()).toBe(false);
});

test('a table that others bring back to what it was before our last change is not taken for whole', async () => {
  const firewall = new Firewall(table);
  await firewall.apply([network], []);
  await change();
  expect(await firewall.mend()).toBe(false);
  await firewall.publish(ports);
  await nft(`flush map inet ${table} published_on`);
  expect(await firewall.mend()).toBe(true);
  expect((await run('nft', ['list', 'map', 'inet', table, 'published_on'])).stdout).toContain('tcp . 80');
});
