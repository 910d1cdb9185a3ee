import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from './client.js';
import { ScriptedPlugin } from './victims.js';

/** A schedule whose faults do not happen passes whatever the engine does. */
test('a plugin suffers what it is told to, is relieved, and forgets', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cle-victim-'));
  try {
    await using plugin = await ScriptedPlugin.start('ipam', directory, '10.9');
    const requestPool = async () =>
      (await ask(join(directory, 'chaos-ipam.sock'), 'POST', '/IpamDriver.RequestPool', { body: { Pool: '' } })).text;
    expect(JSON.parse(await requestPool())).toMatchObject({ PoolID: '10.9.64.0/24' });

    await plugin.suffer({ type: 'misbehave', method: '*', manner: 'error', performs: false });
    expect(await requestPool()).toContain('out of order');

    await plugin.relieve();
    expect(JSON.parse(await requestPool())).toMatchObject({ PoolID: '10.9.65.0/24' });
    expect((await plugin.statement()).open).toEqual(['pool 10.9.64.0/24', 'pool 10.9.65.0/24']);

    await plugin.forget(['pool 10.9.64.0/24']);
    expect((await plugin.statement()).open).toEqual(['pool 10.9.65.0/24']);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
