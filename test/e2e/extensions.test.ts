import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { defaultVolumeDriver } from './support/batteries.js';
import { clientOf, removeAll } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';
import { batteries } from './support/manifest.js';
import { Program } from './support/program.js';

/** The same plugin by every way of being found, and every battery absent, replaced, and as a process of its own. */
const noRemove = fileURLToPath(new URL('../../examples/no-remove/dist/main.js', import.meta.url));

let engine: Engine;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-ext-');
});
afterAll(() => rm(scratch, { recursive: true, force: true }));
const { ok, refused } = clientOf(() => engine);

const plugin = (socket: string): Program =>
  new Program(process.execPath, [noRemove, '--socket', socket, '--root', join(scratch, 'no-remove')]);

describe('a plugin that comes after the engine', () => {
  beforeAll(async () => {
    engine = await startEngine();
  });
  afterAll(() => engine[Symbol.asyncDispose]());
  afterEach(() => removeAll(engine));

  test('is found by its socket, used by run, and keeps what was removed', async () => {
    const socket = join(engine.pluginDirectory, 'no-remove.sock');
    await using program = plugin(socket);
    await program.made(socket);
    await ok(
      'run',
      '--rm',
      '-v',
      'data:/data',
      '--volume-driver',
      'no-remove',
      'busybox',
      'sh',
      '-c',
      'echo kept > /data/f',
    );
    expect(await ok('volume', 'ls', '--format', '{{.Driver}} {{.Name}}')).toBe('no-remove data');
    expect(await ok('volume', 'inspect', '--format', '{{.Driver}}', 'data')).toBe('no-remove');
    await ok('volume', 'rm', 'data');
    expect(await ok('volume', 'ls', '-q')).toBe('');
    await ok('volume', 'create', '-d', 'no-remove', 'data');
    expect(await ok('run', '--rm', '-v', 'data:/data', 'busybox', 'cat', '/data/f')).toBe('kept');
    expect(await ok('info', '--format', '{{json .Plugins.Volume}}')).toContain('no-remove');
    await ok('volume', 'rm', 'data');
  });

  test('survives being killed in between: the next call finds it again', async () => {
    const socket = join(engine.pluginDirectory, 'phoenix.sock');
    const first = plugin(socket);
    await first.made(socket);
    await ok('volume', 'create', '-d', 'phoenix', 'ashes');
    await first.end('SIGKILL');
    expect(await ok('run', '--rm', '-v', 'other:/d', 'busybox', 'echo', 'others go on')).toBe('others go on');
    expect((await engine.docker('volume', 'ls')).code).toBe(0);
    await using second = plugin(socket);
    await expect.poll(() => second.said + first.said).toBeDefined();
    await expect
      .poll(async () => (await engine.docker('run', '--rm', '-v', 'ashes:/d', 'busybox', 'touch', '/d/x')).code, {
        timeout: 120_000,
      })
      .toBe(0);
    await ok('volume', 'rm', 'ashes', 'other');
  });

  test('is found in a directory of its own, by .spec, and by .json', async () => {
    const own = join(engine.pluginDirectory, 'nested');
    await mkdir(own);
    const nested = join(own, 'nested.sock');
    const elsewhere = join(scratch, 'elsewhere.sock');
    await writeFile(join(engine.pluginDirectory, 'by-spec.spec'), `unix://${elsewhere}\n`);
    await writeFile(
      join(engine.pluginDirectory, 'by-json.json'),
      JSON.stringify({ Name: 'by-json', Addr: `unix://${elsewhere}` }),
    );
    await using first = plugin(nested);
    await first.made(nested);
    await using second = plugin(elsewhere);
    await second.made(elsewhere);
    for (const driver of ['nested', 'by-spec', 'by-json']) {
      await ok('volume', 'create', '-d', driver, `of-${driver}`);
      await ok('volume', 'rm', `of-${driver}`);
    }
  });

  test('that is announced but starts later is waited for', async () => {
    const late = join(scratch, 'late.sock');
    await writeFile(join(engine.pluginDirectory, 'late.spec'), `unix://${late}\n`);
    const created = engine.docker('volume', 'create', '-d', 'late', 'punctual');
    await sleep(2500);
    await using program = plugin(late);
    await program.made(late);
    expect(await created).toMatchObject({ code: 0 });
    await ok('volume', 'rm', 'punctual');
  });

  test('that nobody knows fails at once, and names those that are known', async () => {
    const said = await refused('volume', 'create', '-d', 'nobody', 'x');
    expect(said).toMatch(/plugin "nobody" not found/);
    expect(said).toContain(defaultVolumeDriver);
    expect(
      (await engine.docker('run', '--rm', '-v', 'x:/x', '--volume-driver', 'nobody', 'busybox', 'true')).code,
    ).toBe(125);
    expect(await ok('ps', '-aq')).toBe('');
  });
});

describe('an external plugin as the default', () => {
  afterEach(() => engine[Symbol.asyncDispose]());

  test('takes the place of the battery by configuration alone', async () => {
    engine = await startEngine({ flags: ['--extension', 'volume-local=off', '--default-volume-driver', 'no-remove'] });
    const socket = join(engine.pluginDirectory, 'no-remove.sock');
    await using program = plugin(socket);
    await program.made(socket);
    expect(await ok('run', '--rm', '-v', 'mine:/d', 'busybox', 'sh', '-c', 'echo x > /d/f; cat /d/f')).toBe('x');
    expect(await ok('volume', 'inspect', '--format', '{{.Driver}}', 'mine')).toBe('no-remove');
    await ok('volume', 'rm', 'mine');
  });
});

describe('each battery', () => {
  const plain = ['run', '--rm', '--network', 'none', 'busybox', 'echo', 'works'];
  const bridged = ['run', '--rm', '--network', 'bridge', 'busybox', 'echo', 'works'];
  const logged = (...driver: string[]) => [
    'run',
    '--rm',
    '--network',
    'none',
    '--log-driver',
    ...driver,
    'busybox',
    'echo',
    'works',
  ];
  /** A command that works with the extension, and the message without it, which ends with the way to bring it back. */
  /** Shown by a build, which says the ID of its image. */
  const built = /^sha256:[0-9a-f]{64}$/;
  interface WithIt {
    works: readonly string[];
    missing: string;
    /** The output where it works. */
    prints?: RegExp;
    /** The exit status without it. */
    code?: number;
    /** Further flags of the engine, which chooses it by these. */
    flags?: readonly string[];
    /** Options of the extension. @param other an engine beside it */
    options?: (other: Engine) => Record<string, string>;
  }
  /** An engine without its authorizer answers nothing: what is asked of the others is asked of these in a test of theirs. */
  const elsewhere: Record<string, { readonly test: string }> = {
    'authz-policy': { test: 'authz-policy.test.ts' },
  };
  const others = batteries.filter((battery) => !Object.hasOwn(elsewhere, battery));
  const withIt: Record<string, WithIt> = {
    'builder-buildah': {
      works: ['build', '-q', fileURLToPath(new URL('support/hello-image', import.meta.url))],
      ...{ prints: built, code: 1, flags: ['--builder-driver=buildah'] },
      missing: 'error looking up builder buildah: plugin "buildah" not found',
    },
    'builder-buildkit': {
      works: ['build', '-q', fileURLToPath(new URL('support/hello-image', import.meta.url))],
      ...{ prints: built, code: 1, flags: ['--builder-driver=buildkit'] },
      // An engine answers as a BuildKit does, too.
      options: ({ socket }) => ({ address: `unix://${socket}` }),
      missing: 'error looking up builder buildkit: plugin "buildkit" not found',
    },
    'builder-dockerfile': {
      works: ['build', '-q', fileURLToPath(new URL('support/hello-image', import.meta.url))],
      ...{ prints: built, code: 1 },
      missing: 'error looking up builder dockerfile: plugin "dockerfile" not found',
    },
    'volume-local': {
      works: ['run', '--rm', '-v', 'vol:/v', 'busybox', 'echo', 'works'],
      missing: 'error looking up volume plugin local: plugin "local" not found',
    },
    'volume-tmpfs': {
      works: ['run', '--rm', '-v', 'mem:/v', '--volume-driver', 'tmpfs', 'busybox', 'echo', 'works'],
      missing: 'error looking up volume plugin tmpfs: plugin "tmpfs" not found',
    },
    'network-bridge': { works: bridged, missing: 'network bridge not found: plugin "bridge" not found' },
    'network-host': {
      works: ['run', '--rm', '--network', 'host', 'busybox', 'echo', 'works'],
      missing: 'network host not found: plugin "host" not found',
    },
    // They answer without an interface of the host’s; test/e2e/macvlan.test.ts has one.
    'network-macvlan': {
      works: ['network', 'create', '--driver=macvlan', '-o', 'parent=nowhere', 'refused'],
      prints: /invalid subinterface vlan name nowhere/,
      code: 1,
      missing: 'plugin "macvlan" not found',
    },
    'network-ipvlan': {
      works: ['network', 'create', '--driver=ipvlan', '-o', 'parent=nowhere', 'refused'],
      prints: /invalid subinterface vlan name nowhere/,
      code: 1,
      missing: 'plugin "ipvlan" not found',
    },
    'network-none': { works: plain, missing: 'network none not found: plugin "null" not found' },
    'ipam-default': { works: bridged, missing: 'network bridge not found: plugin "default" not found' },
    // It answers without a DHCP server; test/e2e/ipam-dhcp.test.ts has one.
    'ipam-dhcp': {
      works: ['network', 'create', '--driver=macvlan', '--ipam-driver=dhcp', '-o', 'parent=nowhere', 'refused'],
      prints: /there is no interface nowhere on this host$/,
      code: 1,
      missing: 'plugin "dhcp" not found',
    },
    'ipam-null': {
      works: ['network', 'create', '--driver=bridge', '--ipam-driver=null', 'refused'],
      // Each network driver of the box needs a subnet, and says so once it is told that there is none.
      prints: /ipv4 pool is empty$/,
      code: 1,
      missing: 'plugin "null" not found',
    },
    'log-json-file': {
      works: plain,
      missing: 'error looking up logging plugin json-file: plugin "json-file" not found',
    },
    'log-local': { works: logged('local'), missing: 'error looking up logging plugin local: plugin "local" not found' },
    'log-syslog': {
      // Nobody listens at this address: UDP needs no server.
      works: logged('syslog', '--log-opt', 'syslog-address=udp://127.0.0.1:9'),
      missing: 'error looking up logging plugin syslog: plugin "syslog" not found',
    },
  };

  const entry = (battery: string) => {
    const known = withIt[battery];
    if (known === undefined)
      throw new Error(`what works with ${battery}, and what is missing without it, is to be said`);
    return known;
  };

  describe('left out', () => {
    afterEach(() => engine[Symbol.asyncDispose]());

    // Where a plugin is the default already, nobody misses the battery.
    const missed = others.filter((battery) => battery !== 'volume-local' || defaultVolumeDriver === 'local');
    test.each(missed)('%s can be left out: the engine starts and says what is missing', async (battery) => {
      const { works, missing, code: failing = 125, flags = [] } = entry(battery);
      // An engine that knew it once has networks of it, and says something else.
      engine = await startEngine({ flags: ['--extension', `${battery}=off`, ...flags] });
      expect(await ok('version', '--format', '{{.Server.Os}}')).toBe('linux');
      const { code, stderr } = await engine.docker(...works);
      expect(code).toBe(failing);
      expect(stderr).toContain(
        `${missing}: extension ${battery} is left out by the configuration; cleatd --extension ${battery}=in-process brings it back`,
      );
      expect(await ok('ps', '--format', '{{.Names}}')).toBe('');
      const others: string[] =
        battery === 'log-json-file'
          ? ['run', '--rm', '--log-driver', 'none', '--network', 'none', 'busybox', 'echo', 'works']
          : battery === 'network-none'
            ? ['run', '--rm', 'busybox', 'echo', 'works']
            : plain;
      expect(await ok(...others)).toBe('works');
    });
  });

  describe('as a process, like all others', () => {
    const asProcesses = batteries.flatMap((battery) => ['--extension', `${battery}=process`]);
    beforeAll(async () => {
      engine = await startEngine({ flags: asProcesses });
    });
    afterEach(() => removeAll(engine));
    afterAll(() => engine[Symbol.asyncDispose]());

    test.each(others)('%s runs as a process of its own, also after it was killed', async (battery) => {
      const { works, prints = /^works$/, flags, options } = entry(battery);
      const config = { [battery]: { carrier: 'process', options: options?.(engine) } };
      const given = options ? { flags, config: { extensions: config } } : { flags: [...asProcesses, ...(flags ?? [])] };
      await using own = flags && (await startEngine(given));
      const chosen = own ?? engine;
      const said = async () => {
        const { stdout, stderr } = await chosen.docker(...works);
        return stdout.trim() || stderr.trim();
      };
      expect(await said()).toMatch(prints);
      const host = await hostOf(battery, chosen);
      process.kill(host, 'SIGKILL');
      await expect.poll(said).toMatch(prints);
      expect(await hostOf(battery, chosen)).not.toBe(host);
    });

    /** The process that the supervisor started for a battery of this engine. */
    async function hostOf(battery: string, { execRoot }: Engine): Promise<number> {
      const { execFile } = await import('node:child_process');
      const { promisify } = await import('node:util');
      const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,args']);
      const row = stdout.split('\n').find((line) => line.includes(`/${battery}/`) && line.includes(execRoot));
      if (row === undefined) throw new Error(`no process of ${battery}:\n${stdout}`);
      return Number.parseInt(row, 10);
    }
  });
});
