import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '@cleat/linux/process/identity';
import { describe, expect, test } from 'vitest';
import { linux, sandboxesForTests } from './sandbox.fixture.js';
import { endStrangers, runningSandboxes, takeAway } from './strangers.js';

const sandboxes = sandboxesForTests();

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
    await expect.poll(() => launcher.lastLines().at(-1)).toBe('end');
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
    const { conmon } = launcher.note ?? expect.fail('it does not run');
    process.kill(conmon.pid, 'SIGKILL');
    expect(await launched.ended).toBe('its monitor was killed');
    // Its files are closed a moment before it is gone.
    await expect.poll(() => isAlive(conmon)).toBe(false);
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
