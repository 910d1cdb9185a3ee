import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Sandboxes } from './sandbox.fixture.js';
import { endStrangers, runningSandboxes, takeAway } from './strangers.js';

let sandboxes: Sandboxes;
beforeAll(() => {
  sandboxes = new Sandboxes();
});
beforeEach(() => {
  sandboxes.lines.length = 0;
  sandboxes.warnings.length = 0;
});
afterEach(() => expect(sandboxes.warnings).toEqual([]));
afterAll(() => sandboxes[Symbol.asyncDispose]());

const linux = (more: object) => ({ Linux: { AllowAllDevices: false, Capabilities: null, Devices: null, ...more } });
const status = (field: string) => `grep ${field} /proc/self/status`;

describe('everything is denied that is not asked for, and the rest is there', () => {
  const namespace = (type: string) => readlinkSync(`/proc/self/ns/${type}`);

  test('network', async () => {
    const script = 'readlink /proc/self/ns/net; cat /proc/net/dev | grep :; cat /etc/hosts | grep -c localhost';
    for (const Type of ['', 'none', 'null']) {
      const [net, ...devices] = (await sandboxes.output(script, { manifest: { Network: { Type } } })).split('\n');
      expect(net).not.toBe(namespace('net'));
      expect(devices.filter((line) => line.includes(':'))).toEqual([expect.stringMatching(/^\s*lo:/)]);
    }
    expect(await sandboxes.output(script, { manifest: { Network: { Type: 'host' } } })).toContain(namespace('net'));
  });

  test('processes and IPC of the host', async () => {
    const script = `readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; kill -0 ${process.pid} && echo reached`;
    const own = await sandboxes.output(script);
    expect(own).not.toContain(namespace('pid'));
    expect(own).not.toContain(namespace('ipc'));
    expect(own).not.toContain('reached');
    const asked = await sandboxes.output(script, { manifest: { PidHost: true, IpcHost: true } });
    expect(asked).toContain(namespace('pid'));
    expect(asked).toContain(namespace('ipc'));
    expect(asked).toContain('reached');
  });

  test('files of the host', async () => {
    const file = join(sandboxes.directory, 'of-the-host');
    writeFileSync(file, 'its content');
    expect(await sandboxes.output(`cat ${file} || echo denied`)).toContain('denied');
    const mount = { Name: 'file', Description: '', Source: file, Destination: file, Type: 'bind' };
    const mounts = (...Options: string[]) => ({ manifest: { Mounts: [{ ...mount, Options, Settable: null }] } });
    const script = `cat ${file}; echo more >>${file} || echo denied`;
    expect(await sandboxes.output(script, mounts('bind', 'ro'))).toContain('denied');
    expect(await sandboxes.output(script, mounts('bind', 'rw'))).toBe('its content');
    expect(readFileSync(file, 'utf8')).toBe('its contentmore\n');
  });

  test('devices', async () => {
    // The host's: of the kernel's own file systems, which nobody has by default.
    const script = 'true </dev/null && echo usual; mknod /tmp/fuse c 10 229; true </tmp/fuse && echo reached';
    expect(await sandboxes.output(script)).toMatch(/usual[\s\S]*Operation not permitted/);
    const all = await sandboxes.output(script, { manifest: linux({ AllowAllDevices: true }) });
    expect(all).not.toContain('not permitted');
    const devices = [{ Name: 'd', Description: '', Path: '/dev/none', Settable: ['path'] }];
    const given = { manifest: linux({ Devices: devices }), set: ['d=/dev/fuse'] };
    expect(await sandboxes.output('true </dev/fuse && echo reached', given)).toBe('reached');
  });

  test('capabilities, and system calls that belong to them', async () => {
    const script = `mount -t tmpfs none /mnt && echo mounted; ${status('Cap')}`;
    const without = await sandboxes.output(script);
    expect(without).toContain('permission denied');
    // Docker's default set.
    expect(without).toMatch(/CapBnd:\s+00000000a80425fb/);
    expect(without).toMatch(/CapInh:\s+0{16}/);
    const granted = await sandboxes.output(script, { manifest: linux({ Capabilities: ['CAP_SYS_ADMIN'] }) });
    expect(granted).toContain('mounted');
    expect(granted).toMatch(/CapEff:\s+00000000a82425fb/);
  });

  test('root: with a user it holds what it asked for, and nothing else', async () => {
    const script = `id -u; id -g; touch /run/docker/plugins/x && echo made; touch /y || echo denied; ${status('Cap')}; ${status('Groups')}`;
    const user = { User: { UID: 1234, GID: 4321 } };
    const plain = await sandboxes.output(script, { manifest: user });
    expect(plain).toMatch(/^1234\n4321\nmade\n/);
    expect(plain).toContain('denied');
    expect(plain).toMatch(/CapEff:\s+0{16}/);
    const asked = await sandboxes.output(script, {
      manifest: { ...user, ...linux({ Capabilities: ['CAP_NET_ADMIN'] }) },
    });
    expect(asked).toMatch(/CapEff:\s+0000000000001000/);
    expect(asked).toMatch(/CapBnd:\s+00000000a80435fb/);
  });

  test('files that are masked, read-only or filtered in a container are here, too', async () => {
    const script =
      'head -c 1 /proc/kcore | grep -c . ; echo 1 >/proc/sys/vm/drop_caches || echo read-only; touch /sys/x || echo sys; ' +
      status('Seccomp:');
    const output = await sandboxes.output(script);
    expect(output).toContain('read-only');
    expect(output).toContain('sys');
    expect(output).toMatch(/Seccomp:\s+2/);
  });
});

test('arguments, variables and the directory are those of the manifest and the settings', async () => {
  const manifest = {
    Entrypoint: ['/bin/sh', '-c', 'echo "$0 $*"; echo "$PATH $LEVEL $KEPT"; pwd'],
    Args: { Name: 'args', Description: '', Settable: ['value'], Value: ['none'] },
    Env: [
      { Name: 'LEVEL', Description: '', Settable: ['value'], Value: 'low' },
      { Name: 'KEPT', Description: '', Settable: null, Value: 'as it is' },
    ],
    WorkDir: '/data',
  };
  expect(await sandboxes.output('', { manifest, set: ['args=a b', 'LEVEL=high'] })).toBe(
    'a b\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin high as it is\n/data',
  );
});

test('limits are those of the manifest', async () => {
  const Cleat = { Resources: { Memory: 64 * 1024 * 1024, NanoCpus: 500_000_000, PidsLimit: 20 } };
  const script = 'echo up; x=x; while true; do x=$x$x; done';
  const { launcher, launched } = await sandboxes.run(script, { manifest: { Cleat } });
  expect(await launched.ended).toBe('it ran out of memory');
  await launcher.close();
});

test('its changes of its root stay; a run makes a socket directory of its own', async () => {
  const plugin = sandboxes.plugin('');
  const script =
    'exec 2>&1; cat /state; echo again >/state; ls /run/docker/plugins; touch /run/docker/plugins/old; ls -a / | grep dockerenv';
  expect(await sandboxes.output(script, { id: plugin.id })).toMatch(/No such file[\s\S]*\.dockerenv$/);
  expect(await sandboxes.output(script, { id: plugin.id })).toBe('again\n.dockerenv');
  sandboxes.expectNothingLeft(plugin.id);
});

test('the engine follows no symlink that a plugin makes in the place of its socket, which is no larger than it must', async () => {
  const { launcher, launched } = await sandboxes.run(
    'ln -s /etc/passwd /run/docker/plugins/p.sock; dd if=/dev/zero of=/run/docker/plugins/big bs=1M count=4; echo ready; sleep 100',
  );
  await expect.poll(() => sandboxes.lines).toContain('ready');
  expect(() => readFileSync(launcher.socket)).toThrow('ELOOP');
  expect(statSync(join(launcher.places.sockets, 'big')).size).toBeLessThanOrEqual(1024 * 1024);
  await launched.stop(0);
});

test('a metrics collector finds the socket where a stock engine has it, also one that is made later', async () => {
  const metrics = mkdtempSync(join(sandboxes.directory, 'metrics-'));
  const given = {
    manifest: { Interface: { Types: ['docker.metricscollector/1.0'], Socket: 'p.sock' } },
    deps: { shares: { metrics } },
  };
  const script = 'echo ready; until [ -e /run/docker/metrics.sock ]; do sleep 0.1; done; cat /run/docker/metrics.sock';
  const { launcher, launched } = await sandboxes.run(script, given);
  await expect.poll(() => sandboxes.lines).toContain('ready');
  writeFileSync(join(metrics, 'metrics.sock'), 'figures');
  await launched.ended;
  expect(launcher.lastLines()).toContain('figures');
  await launcher.close();
  sandboxes.expectNothingLeft(launcher.places.id);
});

describe('a propagated mount', () => {
  const manifest = { PropagatedMount: '/mnt/volumes', ...linux({ Capabilities: ['CAP_SYS_ADMIN'] }) };

  test('is seen on the host while the plugin runs, also when it is started again, and not after', async () => {
    const script = `cat /mnt/volumes/v/file || {
      mkdir -p /mnt/volumes/v
      mount -t tmpfs none /mnt/volumes/v
      echo hello >/mnt/volumes/v/file
      echo ready
    }
    sleep 100`;
    const { launcher, launched } = await sandboxes.run(script, { manifest });
    await expect.poll(() => sandboxes.lines).toContain('ready');
    const file = join(launcher.places.propagated, 'v', 'file');
    expect(readFileSync(file, 'utf8')).toBe('hello\n');
    process.kill(launched.pid, 'SIGKILL');
    expect(await launched.ended).toBe('killed by SIGKILL');
    const again = await launcher.launch(new AbortController().signal);
    await expect.poll(() => sandboxes.lines).toContain('hello');
    expect(readFileSync(file, 'utf8')).toBe('hello\n');
    await again.stop(0);
    await launcher.close();
    expect(existsSync(file)).toBe(false);
    sandboxes.expectNothingLeft(launcher.places.id);
  });
});

describe('its output', () => {
  test('is heard, with its level where it has one; the latest lines are there when it has ended', async () => {
    const line = JSON.stringify({ level: 'warn', message: 'careful', n: 1 });
    const { launcher, launched } = await sandboxes.run(`echo one; echo two >&2; echo '${line}'; exit 3`);
    expect(await launched.ended).toBe('exit code 3');
    expect([...launcher.lastLines()].sort()).toEqual(['one', 'two', line]);
    expect(sandboxes.lines).toEqual(expect.arrayContaining(['one', 'two', 'careful {"n":1}']));
    await launcher.close();
  });

  test('is bounded, whatever it is', async () => {
    const { launcher, launched } = await sandboxes.run(
      'yes "$(seq 1 2000)" | head -c 20000000; echo; echo end; sleep 100',
    );
    await expect.poll(() => launcher.lastLines().at(-1), { timeout: 20_000 }).toBe('end');
    const directory = join(launcher.places.bundle, 'output');
    const bytes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(3 * 1024 * 1024);
    expect(sandboxes.lines.join('\n')).toContain('some of it was left out');
    await launched.stop(0);
  });
});

describe('an engine that was killed', () => {
  const script = 'echo first; trap "echo asked; exit 5" TERM; while true; do sleep 0.1; done';

  test('is followed by one that finds it, with what it printed, and hears its end', async () => {
    const { launcher: killed, launched: old } = await sandboxes.run(script, { deps: sandboxes.doomed });
    await expect.poll(() => sandboxes.lines).toContain('first');
    const earlier: string[] = [];
    const { id } = killed.places;
    const next = sandboxes.launcher(script, { id }, (lines) => earlier.push(...lines.map(({ text }) => text)));
    const found = await next.adopt();
    expect(found?.pid).toBe(old.pid);
    expect(earlier).toEqual(['first']);
    expect(next.lastLines()).toEqual(['first']);
    await found?.stop(10_000);
    expect(await found?.ended).toBe('exit code 5');
    expect(next.lastLines()).toEqual(['first', 'asked']);
    await next.close();
    sandboxes.expectNothingLeft(id);
  });

  test('with other settings: the former one is ended, and nothing is found', async () => {
    const { launcher, launched } = await sandboxes.run(script, { deps: sandboxes.doomed });
    await expect.poll(() => sandboxes.lines).toContain('first');
    const { id } = launcher.places;
    const next = sandboxes.launcher(`${script} # another`, { id });
    expect(await next.adopt()).toBeUndefined();
    expect(await launched.ended).toBe('exit code 5');
    await next.close();
    sandboxes.expectNothingLeft(id);
  });

  test('with the monitor killed meanwhile: what is left of it goes', async () => {
    const { launcher, launched } = await sandboxes.run(script, { deps: sandboxes.doomed });
    const { id } = launcher.places;
    process.kill(launcher.note?.conmon.pid ?? 0, 'SIGKILL');
    expect(await launched.ended).toBe('its monitor was killed');
    const next = sandboxes.launcher(script, { id });
    expect(await next.adopt()).toBeUndefined();
    const again = await next.launch(new AbortController().signal);
    expect(again.pid).not.toBe(launched.pid);
    await again.stop(0);
    await next.close();
    sandboxes.expectNothingLeft(id);
  });

  test('a number that another process has by now is nobody’s', async () => {
    const { launcher, launched } = await sandboxes.run(script, { deps: sandboxes.doomed });
    const { id, note } = launcher.places;
    const written = JSON.parse(readFileSync(note, 'utf8'));
    writeFileSync(note, JSON.stringify({ ...written, init: { ...written.init, startTime: '1' } }));
    const next = sandboxes.launcher(script, { id });
    expect(await next.adopt()).toBeUndefined();
    await launched.ended;
    await next.close();
    sandboxes.expectNothingLeft(id);
  });
});

test('a plugin that an engine that was killed left, and that is not to run, is taken away', async () => {
  const kept = await sandboxes.run('sleep 100', { deps: sandboxes.doomed });
  const { launcher, launched } = await sandboxes.run('sleep 100', { deps: sandboxes.doomed });
  const { id } = launcher.places;
  const wanted = kept.launcher.places.id;
  expect(runningSandboxes(sandboxes.deps)).toEqual(expect.arrayContaining([id, wanted]));
  await endStrangers(sandboxes.deps, new Set([wanted]));
  await launched.ended;
  sandboxes.expectNothingLeft(id);
  expect(runningSandboxes(sandboxes.deps)).toEqual([wanted]);
  await takeAway(sandboxes.deps, wanted);
  sandboxes.expectNothingLeft(wanted);
});

test('an upgrade finds what the plugin wrote above the files of its new layers', async () => {
  const { id } = sandboxes.plugin('');
  await sandboxes.output('echo state >/state; echo changed >/etc/passwd; rm -r /data', { id });
  const newer = join(sandboxes.directory, 'newer');
  cpSync(sandboxes.layer, newer, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(newer, 'new'), 'new\n');
  const output = await sandboxes.output('cat /state /new; ls /data', { id, layers: [newer] });
  expect(output).toContain('state\nnew');
  expect(output).toContain('No such file');
});

test('it is asked to stop, and made to: nothing is left, not even its children', async () => {
  const deaf = 'trap "" TERM; sleep 1000 & echo ready; sleep 1000';
  const { launcher, launched } = await sandboxes.run(deaf, { manifest: { PidHost: true } });
  await expect.poll(() => sandboxes.lines).toContain('ready');
  await launched.stop(100);
  expect(await launched.ended).toBe('killed by SIGKILL');
  await launcher.close();
  sandboxes.expectNothingLeft(launcher.places.id);
});

describe('a launch that fails at any step leaves nothing, and says why', () => {
  const failing = async (given: Parameters<Sandboxes['launcher']>[1], text: string | RegExp, script = 'sleep 100') => {
    const launcher = sandboxes.launcher(script, given);
    await expect(launcher.launch(new AbortController().signal)).rejects.toThrow(text);
    await launcher.close();
    sandboxes.expectNothingLeft(launcher.places.id);
  };
  const wrapper = (name: string, script: string) => {
    const path = join(sandboxes.directory, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  };
  test('a source that is missing', () =>
    failing(
      {
        manifest: {
          Mounts: [
            {
              Name: 'state',
              Description: '',
              Source: '/nowhere/at/all',
              Destination: '/s',
              Type: 'bind',
              Options: ['rbind'],
              Settable: null,
            },
          ],
        },
      },
      'the source of its mount "state" is not there: bind source path does not exist: /nowhere/at/all',
    ));
  test('a device that is missing', () =>
    failing(
      { manifest: linux({ Devices: [{ Name: 'd', Description: '', Path: '/dev/nothing', Settable: null }] }) },
      /its device "d" is not there: .*\/dev\/nothing.*no such file/,
    ));
  test('a network that is missing', () =>
    failing({ manifest: { Network: { Type: 'bridge' } } }, 'there is no network here'));
  test('a network of an unknown type', () =>
    failing({ manifest: { Network: { Type: 'vxlan' } } }, 'no network of type "vxlan"'));
  test('a protocol of another kind', () =>
    failing(
      { manifest: { Interface: { Types: [], Socket: 's', ProtocolScheme: 'grpc' } } },
      'its protocol "grpc" is not spoken here',
    ));
  test('a program that is missing', () => failing({ manifest: { Entrypoint: ['/bin/nothing'] } }, /nothing/));
  test('no program', () => failing({ manifest: { Entrypoint: null } }, 'no Entrypoint'));
  test('a mount over /proc', () =>
    failing(
      {
        manifest: {
          Mounts: [
            {
              Name: '',
              Description: '',
              Source: '/tmp',
              Destination: '/proc/sys',
              Type: 'bind',
              Options: ['rbind'],
              Settable: null,
            },
          ],
        },
      },
      'inside /proc',
    ));
  test('a stacked file system', () =>
    failing(
      {
        manifest: {
          Mounts: [
            {
              Name: 'o',
              Description: '',
              Source: 'overlay',
              Destination: '/o',
              Type: 'overlay',
              Options: ['lowerdir=/root:/etc'],
              Settable: null,
            },
          ],
        },
      },
      'is of type overlay',
    ));
  test('no conmon', () => failing({ deps: { conmonPath: '/no/conmon' } }, 'conmon cannot be started'));
  test('an account file without an end', async () => {
    const other = new Sandboxes();
    await using _ = other;
    const plugin = other.plugin('true');
    symlinkSync('/dev/zero', join(other.layer, 'etc/group'));
    const launcher = other.launcher('true', { id: plugin.id });
    await expect(launcher.launch(new AbortController().signal)).rejects.toThrow('/etc/group of the container');
    await launcher.close();
    other.expectNothingLeft(plugin.id);
  });
  test.each([
    ['create', 'for each; do [ "$each" = create ] && { echo "will not" >&2; exit 1; }; done; exec runc "$@"'],
    ['start', 'for each; do [ "$each" = start ] && { echo "will not" >&2; exit 1; }; done; exec runc "$@"'],
  ])('a runtime that refuses to %s', async (name, script) => {
    await using other = new Sandboxes(wrapper(`refuses-${name}`, script));
    const launcher = other.launcher('sleep 100');
    await expect(launcher.launch(new AbortController().signal)).rejects.toThrow('will not');
    await launcher.close();
    other.expectNothingLeft(launcher.places.id);
  });
  test('a plugin that is no longer wanted', async () => {
    const launcher = sandboxes.launcher('sleep 100');
    const stop = new AbortController();
    const launching = launcher.launch(stop.signal);
    stop.abort();
    await expect(launching).rejects.toMatchObject({ class: 'Cancelled' });
    await launcher.close();
    sandboxes.expectNothingLeft(launcher.places.id);
  });
});
