import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { writeSysctl } from './facts.js';
import { HostLinks } from './links.js';
import { SettingChanges } from './setting-changes.js';

const bridge = `ts${randomBytes(3).toString('hex')}`;
const links = new HostLinks();
const changes = new SettingChanges();
afterEach(async () => {
  changes.close();
  await links.remove(bridge);
  links.close();
});

test.each(['ipv4', 'ipv6'])('%s: forwarding that is switched on an interface is told', async (family) => {
  await links.run([`link add ${bridge} type bridge`]);
  const key = `${family}/conf/${bridge}/forwarding`;
  writeSysctl(key, '1');
  expect(changes.take()).toBe(true);
  for (const value of ['0', '1']) {
    // Others use this host, too: there may be more than this change.
    expect(writeSysctl(key, value)).toBe(true);
    expect(changes.take()).toBe(true);
  }
});
