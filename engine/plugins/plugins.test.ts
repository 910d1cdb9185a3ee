import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { startRegistry } from '../distribution/registry.fixture.js';
import { lines } from '../images/images.fixture.js';
import { granted, openBench } from './plugins.fixture.js';

test('a plugin is made, listed, found by name and ID, set, enabled, disabled and removed', async () => {
  await using bench = await openBench();
  const { plugins } = bench;
  await bench.create('me/plugin');
  await expect(bench.create('me/plugin:latest')).rejects.toThrow('plugin me/plugin:latest already exists');
  const [plugin] = plugins.list({});
  const id = plugin?.Id ?? '';
  for (const called of ['me/plugin', 'me/plugin:latest', 'docker.io/me/plugin', id, id.slice(0, 12)]) {
    expect(plugins.inspect(called).Id).toBe(id);
  }
  for (const called of ['me/plugin:v1', 'plugin', 'Me/Plugin', '', '0'.repeat(64)]) {
    expect(() => plugins.inspect(called)).toThrow(`plugin ${JSON.stringify(called)} not found`);
  }
  expect(plugin).toMatchObject({ Name: 'me/plugin:latest', Enabled: false, PluginReference: 'me/plugin:latest' });
  await plugins.set('me/plugin', ['DEBUG=1', 'PASSWORD=secret']);
  await expect(plugins.set('me/plugin', ['NONE=1'])).rejects.toThrow('setting "NONE" not found');
  await plugins.enable('me/plugin', 0);
  expect(bench.running.has('me/plugin:latest')).toBe(true);
  await expect(plugins.enable(id, 0)).rejects.toMatchObject({
    class: 'Conflict',
    message: 'plugin already enabled: plugin me/plugin:latest is enabled',
  });
  await expect(plugins.set(id, ['DEBUG=2'])).rejects.toThrow('cannot set on an active plugin');
  await expect(plugins.remove(id, { force: false })).rejects.toThrow('plugin me/plugin:latest is enabled');
  bench.uses = [{ what: 'volume data', containers: ['web'] }];
  for (const refused of [plugins.disable(id, { force: false }), plugins.remove(id, { force: false })]) {
    await expect(refused).rejects.toThrow('plugin me/plugin:latest is in use: volume data (container web)');
  }
  bench.dependents = ['team/cache:v1'];
  await expect(plugins.disable(id, { force: false })).rejects.toThrow(
    'in use: volume data (container web), extension team/cache:v1',
  );
  bench.dependents = [];
  await bench.reopen();
  expect(bench.running.has('me/plugin:latest')).toBe(true);
  expect(bench.plugins.inspect(id)).toMatchObject({ Enabled: true, Settings: { Env: ['DEBUG=1', 'PASSWORD=***'] } });
  await bench.plugins.disable(id, { force: true });
  expect(bench.events.at(-1)).toMatchObject({
    action: 'disable',
    attributes: { name: id, usedBy: 'volume data (container web)', containers: 'web' },
  });
  bench.uses = [];
  await expect(bench.plugins.disable('me/plugin', { force: false })).rejects.toThrow(
    'plugin is already disabled: plugin me/plugin:latest found but disabled',
  );
  await bench.plugins.remove('me/plugin', { force: false });
  expect(bench.events.map(({ action, id: actor }) => [action, actor])).toEqual([
    ['create', id],
    ['enable', id],
    ['disable', id],
    ['remove', id],
  ]);
  expect(await bench.left()).toEqual({ blobs: [], layers: [] });
});

test('a list is filtered by state, and by any of the capabilities of a plugin', async () => {
  await using bench = await openBench();
  const types = (...Types: string[]) => ({ Interface: { Types, Socket: 'p.sock' } });
  await bench.create('a', types('docker.volumedriver/1.0', 'docker.networkdriver/1.0'));
  await bench.create('b', types('docker.authz/1.0'));
  await bench.plugins.enable('b', 0);
  const names = (filters: Record<string, string[]>) => bench.plugins.list(filters).map(({ Name }) => Name);
  expect(names({ enabled: ['true'] })).toEqual(['b:latest']);
  expect(names({ enabled: ['false'] })).toEqual(['a:latest']);
  expect(names({ capability: ['networkdriver'] })).toEqual(['a:latest']);
  expect(names({ capability: ['networkdriver', 'authz'] })).toEqual(['a:latest', 'b:latest']);
  expect(() => names({ state: ['x'] })).toThrow("invalid filter 'state'");
  expect(() => names({ enabled: ['maybe'] })).toThrow("invalid filter 'enabled=[maybe]'");
});

test('a plugin without which nobody is authorized is not removed, not even by force', async () => {
  await using bench = await openBench();
  await bench.create('me/guard');
  for (const force of [false, true]) {
    await expect(bench.plugins.remove('me/guard', { force })).rejects.toMatchObject({
      class: 'Conflict',
      message: expect.stringMatching(/^plugin me\/guard:latest is in use: authorization-plugins names it/),
    });
  }
});

test('a plugin that does not answer stays disabled, and its last words are told', async () => {
  await using bench = await openBench();
  await bench.create('a');
  bench.answer = async () => Promise.reject(new Error('nobody is there'));
  await expect(bench.plugins.enable('a', 1)).rejects.toThrow(
    /^plugin a:latest does not work: nobody is there\nThe last lines that it printed:\nsaid at last$/,
  );
  expect(bench.plugins.inspect('a').Enabled).toBe(false);
  expect(bench.running.size).toBe(0);
  expect(bench.events.map(({ action }) => action)).toEqual(['create']);
});

test('a plugin that was pulled is pushed with the same digest; the same layer is here once', async () => {
  await using registry = await startRegistry();
  await using bench = await openBench();
  const { plugins } = bench;
  const name = `${registry.host}/me/plugin`;
  await bench.create(name);
  const pushed = (await bench.push(name)).at(-1)?.aux as { Digest: string };
  await plugins.remove(name, { force: false });
  const { signal } = new AbortController();
  expect(await plugins.privileges(name, { signal })).toMatchObject([{ Name: 'network' }, { Name: 'capabilities' }]);
  const first = await bench.pull(name);
  expect(first.slice(0, 2)).toEqual([
    { status: `Pulling from ${name}`, id: 'latest' },
    { status: `Digest: ${pushed.Digest}` },
  ]);
  await expect(bench.pull(name), 'as a stock engine').rejects.toMatchObject({
    class: 'InvalidParameter',
    message: `plugin ${name}:latest already exists`,
  });
  const again = await bench.pull(`${name}:v2@${pushed.Digest}`, { name: 'alias' });
  expect(again.map(({ status }) => status)).toContain('Already exists');
  expect((await bench.left()).blobs).toHaveLength(1);
  expect(plugins.inspect('alias')).toMatchObject({ PluginReference: `${name}@${pushed.Digest}` });
  expect(plugins.nameFor(`${name}:v2@${pushed.Digest}`, '')).toBe(`${name}:v2`);
  expect((await bench.push(name)).at(-1)?.aux).toEqual(pushed);
  expect(bench.events.map(({ action, id, attributes }) => [action, id, attributes.name])).toEqual([
    ['create', expect.any(String), `${name}:latest`],
    ['push', expect.any(String), name],
    ['remove', expect.any(String), name],
    ['pull', `${name}:latest`, `${name}:latest`],
    ['pull', `${name}@${pushed.Digest}`, 'alias:latest'],
    ['push', expect.any(String), name],
  ]);
  await bench.reopen();
  await bench.plugins.remove(name, { force: false });
  expect((await bench.left()).layers).toHaveLength(1);
  await bench.plugins.remove('alias', { force: false });
  expect(await bench.left()).toEqual({ blobs: [], layers: [] });
});

test('exactly what a plugin asks for must be granted, before its layers are fetched', async () => {
  await using registry = await startRegistry();
  await using bench = await openBench();
  const name = `${registry.host}/me/plugin`;
  await bench.create(name);
  await bench.push(name);
  await bench.plugins.remove(name, { force: false });
  const [network, capabilities] = granted;
  if (!network || !capabilities) throw new Error('the test has two');
  const wrong = [
    [],
    [network],
    [network, network],
    [...granted, capabilities],
    [network, { ...capabilities, Value: ['CAP_NET_ADMIN'] }],
    [network, { ...capabilities, Value: ['CAP_SYS_ADMIN', 'CAP_NET_ADMIN'] }],
  ];
  for (const privileges of wrong) {
    await expect(bench.pull(name, { privileges })).rejects.toMatchObject({
      class: 'Forbidden',
      message: expect.stringMatching(/^incorrect privileges/),
    });
  }
  expect(await bench.left()).toEqual({ blobs: [], layers: [] });
  await bench.pull(name, { privileges: [capabilities, network] });
});

test('an upgrade keeps ID, name and settings, and asks only for what is new', async () => {
  await using registry = await startRegistry();
  await using bench = await openBench();
  const name = `${registry.host}/me/plugin`;
  await bench.create(`${name}:v1`, { Description: 'one' });
  await bench.create(
    `${name}:v2`,
    {
      Description: 'two',
      Linux: { Capabilities: ['CAP_SYS_ADMIN', 'CAP_NET_ADMIN'] },
    },
    [{ name: 'plugin', content: 'newer' }],
  );
  for (const tag of ['v1', 'v2']) {
    await bench.push(`${name}:${tag}`);
    await bench.plugins.remove(`${name}:${tag}`, { force: false });
  }
  await bench.pull(`${name}:v1`, { name: 'mine' });
  const { plugins } = bench;
  const { Id } = plugins.inspect('mine');
  await plugins.set('mine', ['DEBUG=7']);
  await plugins.enable('mine', 0);
  await expect(bench.upgrade('mine', `${name}:v2`)).rejects.toMatchObject({
    class: 'Conflict',
    message: 'plugin must be disabled before upgrading: plugin mine:latest is enabled',
  });
  await plugins.disable('mine', { force: false });
  const { signal } = new AbortController();
  const added = [{ Name: 'capabilities', Value: ['CAP_NET_ADMIN'] }];
  const asked = await plugins.privileges(`${name}:v2`, { name: 'mine', signal });
  expect(asked).toMatchObject(added);
  await expect(bench.upgrade('mine', `${name}:v2`, granted)).rejects.toThrow('incorrect privileges');
  bench.uses = [{ what: 'volume data', containers: ['web'] }];
  await expect(bench.upgrade('mine', `${name}:v2`, asked)).rejects.toThrow('plugin mine:latest is in use: stop');
  bench.uses = [{ what: 'volume data', containers: [] }];
  const told = await bench.upgrade('mine', `${name}:v2`, asked);
  expect(told.map(({ status }) => status)).toContain('New privileges: capabilities: [CAP_NET_ADMIN]');
  expect(plugins.inspect('mine')).toMatchObject({
    Id,
    Name: 'mine:latest',
    PluginReference: `${name}:v2`,
    Config: { Description: 'two' },
    Settings: { Env: ['DEBUG=7', 'PASSWORD='] },
  });
  expect((await bench.left()).layers).toHaveLength(2);
  await plugins.enable('mine', 0);
  // It answers: what was before it is let go.
  expect((await bench.left()).layers).toHaveLength(1);
  expect(bench.running.get('mine:latest')).toBe('two');
});

test('an upgrade that does not start goes back by itself, and says so', async () => {
  await using registry = await startRegistry();
  await using bench = await openBench();
  const name = `${registry.host}/me/plugin`;
  for (const tag of ['v1', 'v2', 'v3']) {
    await bench.create(`${name}:${tag}`, { Description: tag, Cleat: { UpgradeInUse: 'drain' } }, [
      { name: 'plugin', content: tag },
    ]);
    await bench.push(`${name}:${tag}`);
    await bench.plugins.remove(`${name}:${tag}`, { force: false });
  }
  await bench.pull(`${name}:v1`, { name: 'mine' });
  const { plugins } = bench;
  const broken = async (description: string) => {
    if (description !== 'v1') throw new Error(`${description} is broken`);
  };
  const state = () => [bench.running.get('mine:latest'), plugins.inspect('mine').PluginReference];
  // Upgraded while it is disabled, then enabled.
  await bench.upgrade('mine', `${name}:v2`);
  await bench.upgrade('mine', `${name}:v3`);
  bench.answer = broken;
  await expect(plugins.enable('mine', 0)).rejects.toThrow(
    /v3 is broken; the upgrade of plugin mine:latest to sha256:\w+ was rolled back to sha256:\w+, which runs again\n/,
  );
  expect(state()).toEqual(['v1', `${name}:v1`]);
  expect(plugins.inspect('mine').Enabled).toBe(true);
  // Upgraded while it is used.
  bench.uses = [{ what: 'volume data', containers: ['web'] }];
  const told = await bench.upgrade('mine', `${name}:v2`);
  expect(told.at(-1)?.error).toMatch(/v2 is broken[\s\S]*rolled back/);
  expect(state()).toEqual(['v1', `${name}:v1`]);
  bench.answer = async () => {};
  await bench.upgrade('mine', `${name}:v2`);
  expect(state()).toEqual(['v2', `${name}:v2`]);
  expect((await bench.left()).layers).toHaveLength(1);
});

test('a plugin that does not run is known, from its first moment to its last: who asks for it is told', async () => {
  await using registry = await startRegistry();
  await using bench = await openBench();
  const name = `${registry.host}/me/plugin`;
  const { plugins } = bench;
  await bench.create(`${name}:v1`);
  expect(bench.unavailable).toEqual([`${name}:v1: VolumeDriver`]);
  await bench.push(`${name}:v1`);
  await plugins.remove(`${name}:v1`, { force: false });
  expect(bench.unavailable).toEqual([]);
  const types = ['docker.volumedriver/1.0', 'docker.logdriver/1.0'];
  await bench.create(`${name}:v2`, { Interface: { Types: types, Socket: 'p.sock' } }, [
    { name: 'plugin', content: 'v2' },
  ]);
  await bench.push(`${name}:v2`);
  await plugins.remove(`${name}:v2`, { force: false });
  await bench.pull(`${name}:v1`, { name: 'mine' });
  expect(bench.unavailable).toEqual(['mine:latest: VolumeDriver']);
  const { signal } = new AbortController();
  const asked = await plugins.privileges(`${name}:v2`, { name: 'mine', signal });
  await bench.upgrade('mine', `${name}:v2`, asked);
  expect(bench.unavailable).toEqual(['mine:latest: VolumeDriver, LogDriver']);
  await plugins.enable('mine', 0);
  expect(bench.unavailable).toEqual([]);
  await plugins.disable('mine', { force: false });
  expect(bench.unavailable).toHaveLength(1);
  await plugins.remove('mine', { force: false });
  expect(bench.unavailable).toEqual([]);
});

test('a saved plugin is made again from its archive', async () => {
  await using bench = await openBench();
  await bench.create('a', {}, [
    { name: 'plugin', content: 'run', mode: 0o755 },
    { name: 'link', type: 'symlink', linkname: 'plugin' },
  ]);
  const { signal } = new AbortController();
  await bench.plugins.create('b', await bench.plugins.save('a', 'docker'), signal);
  await bench.plugins.create('c', await bench.plugins.save('b', 'docker'), signal);
  const config = (name: string) => bench.plugins.inspect(name).Config;
  expect(config('b').Entrypoint).toEqual(['/plugin']);
  expect(config('c')).toEqual(config('b'));
});

test('a pull that is given up leaves nothing', async () => {
  await using registry = await startRegistry();
  await using bench = await openBench();
  const name = `${registry.host}/me/plugin`;
  await bench.create(name);
  await bench.push(name);
  await bench.plugins.remove(name, { force: false });
  const stop = new AbortController();
  const pull = bench.plugins.pull({ remote: name, name: '', privileges: granted, signal: stop.signal });
  const told: string[] = [];
  for await (const line of pull) {
    told.push(line.error ?? line.status ?? '');
    stop.abort();
  }
  expect(bench.plugins.list({})).toEqual([]);
  expect(await bench.left()).toEqual({ blobs: [], layers: [] });
  // A source that ends with its client.
  const broken = Readable.from(
    (async function* () {
      yield Buffer.alloc(512);
      throw new Error('the client has gone');
    })(),
  );
  await expect(bench.plugins.create('x', broken, stop.signal)).rejects.toThrow();
  expect(await bench.left()).toEqual({ blobs: [], layers: [] });
  expect(await lines(bench.plugins.push('none', { signal: new AbortController().signal })).catch(String)).toContain(
    'plugin "none" not found',
  );
});
