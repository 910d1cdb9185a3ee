import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseFlags } from './options/parse.js';
import { preflight } from './preflight.js';
import { settingsOf } from './settings.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-preflight-test-'));
  writeFileSync(join(directory, 'broken.json'), '{"defaultAction": }');
});
afterAll(() => rmSync(directory, { recursive: true }));

const problems = (all: boolean, ...argv: string[]) => {
  const roots = ['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')];
  return preflight(settingsOf(parseFlags([...roots, ...argv])), { all });
};

test.each([
  [['--seccomp-profile=/nonexistent'], /^--seccomp-profile: .*\/nonexistent/],
  [['--seccomp-profile=DIR/broken.json'], /Decoding seccomp profile failed: invalid character '}' looking for/],
  [['--init-path=/nonexistent'], /^--init-path: \/nonexistent is not there/],
  [
    ['--log-driver=nonexistent'],
    /failed to set log opts: error looking up logging plugin nonexistent.*nonexistent.spec/,
  ],
  [['--init-path=/usr/bin/node'], /needs libraries of this host/],
  [['--data-root=/etc/passwd'], /^cannot use \/etc\/passwd: \/etc\/passwd is no directory/],
  [['--exec-root=/etc/passwd/x'], /^cannot use \/etc\/passwd\/x: .*no(t a)? directory/],
  // Node's mkdirSync would never return.
  [['--data-root=/proc/x/y'], /^cannot use \/proc\/x\/y: nothing can be made in \/proc/],
  [['--pidfile=DIR'], /^cannot write the PID file .*: it is a directory/],
  [['--pidfile=/sys/x'], /^cannot write the PID file \/sys\/x: nothing can be made/],
  [['-H=unix://DIR/broken.json'], /^cannot listen on .*: it exists and is not a socket/],
  [['-H=unix:///proc/x.sock'], /^cannot listen on \/proc\/x.sock: nothing can be made/],
  [['--exec-opt=native.cgroupdriver=systemd'], /^--exec-opt: native.cgroupdriver=systemd needs systemd as the init/],
  [
    ['--exec-opt=native.cgroupdriver=systemd', '--cgroup-parent=/x'],
    /^--exec-opt: cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"/,
  ],
  [['--plugin-dir=DIR/broken.json'], /^plugins cannot be in .*: it is no directory/],
  [['--add-runtime=x=/nonexistent', '--default-runtime=x'], /^--default-runtime: \/nonexistent is not there/],
])('%j is refused at the start and by --validate', async (argv, message) => {
  const words = argv.map((word) => word.replace('DIR', directory));
  for (const all of [false, true]) expect(await problems(all, ...words)).toEqual([expect.stringMatching(message)]);
});

test.each([
  // Containers wait for it.
  [['--add-runtime=x=/nonexistent'], /^--add-runtime: \/nonexistent is not there/],
  [['--log-opt=max-size=large'], /failed to set log opts: invalid size: 'large'/],
  [['--group=no-such-group'], /group no-such-group not found/],
  [['--tlsverify', '--tlscert=/nonexistent', '-H=tcp://127.0.0.1:0'], /TLS needs --tlscert/],
  [['--extension-manifest=/nonexistent.yaml'], /cannot read the manifest of extensions/],
  [['-H=tcp://192.0.2.1:2375', '--insecure-tcp'], /^cannot listen on tcp:\/\/192.0.2.1:2375: .*EADDRNOTAVAIL/],
  [['--metrics-addr=192.0.2.1:9'], /^cannot listen on 192.0.2.1:9: .*EADDRNOTAVAIL/],
  [['--bridge=lo'], /^device lo exists already and is not a bridge/],
  [['--extension=nonexistent=off'], /extension 'nonexistent' is configured, but no manifest has it/],
])('%j, which a start finds by itself or later, is found by --validate', async (argv, message) => {
  expect(await problems(true, ...argv)).toEqual([expect.stringMatching(message)]);
});

test('a runtime that is missing, and not the default one, may come later', async () => {
  expect(await problems(false, '--add-runtime=x=/nonexistent')).toEqual([]);
});

test.each(['containers', 'plugins'])('once there are %s, a log driver may come with one of them', async (room) => {
  const path = join(directory, 'data', room, 'abc');
  mkdirSync(path, { recursive: true });
  for (const all of [false, true]) expect(await problems(all, '--log-driver=nonexistent')).toEqual([]);
  rmSync(join(directory, 'data'), { recursive: true });
});

test('every problem is told, and the roots are not touched', async () => {
  const found = await problems(true, '--seccomp-profile=/nonexistent', '--init-path=/nonexistent', '--log-driver=none');
  expect(found).toHaveLength(2);
  expect(await problems(true, '--extension=log-json-file=process', '--init')).toEqual([]);
  expect(existsSync(join(directory, 'data'))).toBe(false);
});
