import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** Trees and archives that a container or a user makes as odd as can be. */
let engine: Engine;
let scratch: string;
beforeAll(async () => {
  scratch = mkdtempSync('/tmp/cleat-e2e-files-');
  engine = await startEngine();
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

const { ok } = clientOf(() => engine);
const sh = (script: string, ...options: string[]) => ok('run', ...options, 'busybox', 'sh', '-c', script);
/** As deep as a shell gets: for the host, which has a longer way to it, no path leads there (4096 bytes). */
const digDeep = 'i=0; while [ $i -lt 450 ]; do mkdir deepdeep; cd deepdeep; i=$((i+1)); done; echo deep > bottom';
/** Counts without a path: find of busybox cannot go deeper than a path. */
const names = async (tar: string) =>
  execFileSync('tar', ['-tf', tar, '--quoting-style=escape'], { maxBuffer: 1 << 28 })
    .toString()
    .split('\n')
    .filter(Boolean);

test('directories deeper than any path: diff, export, commit, copy-up into a volume, and removal', async () => {
  await sh(`mkdir /deep; cd /deep; ${digDeep}`, '--name', 'digger');
  expect((await ok('diff', 'digger')).split('\n').filter((line) => line.startsWith('A /deep'))).toHaveLength(452);
  const exported = join(scratch, 'deep.tar');
  await ok('export', '-o', exported, 'digger');
  expect((await names(exported)).filter((name) => name.startsWith('deep/'))).toHaveLength(452);
  await ok('commit', 'digger', 'deep');
  await ok('create', '--name', 'filler', '-v', 'deep-volume:/deep', 'deep');
  const usage = JSON.parse((await engine.api('GET', '/system/df?type=volume')).body) as {
    Volumes: { Name: string; UsageData: { Size: number } }[];
  };
  expect(usage.Volumes.find(({ Name }) => Name === 'deep-volume')?.UsageData.Size).toBe(5);
  await ok('rm', 'digger', 'filler');
  await ok('volume', 'rm', 'deep-volume');
  await ok('rmi', 'deep');
  expect(readdirSync(join(engine.dataRoot, 'containers'))).toEqual([]);
});

test('a name that is no UTF-8 survives commit, save, load, export, cp both ways and copy-up', async () => {
  const make = 'mkdir /x; cd /x; n=$(printf "caf\\351"); echo 1 > $n; ln -s "$n" "$(printf "l\\351")"';
  await sh(make, '--name', 'latin');
  expect(await ok('diff', 'latin')).toContain('A /x/caf\ufffd');
  await ok('commit', 'latin', 'latin');
  await ok('save', '-o', join(scratch, 'latin.tar'), 'latin');
  await ok('rmi', 'latin');
  await ok('load', '-i', join(scratch, 'latin.tar'));
  const look = 'cd "$1"; cat "$(printf "caf\\351")" "$(printf "l\\351")"';
  const read = (path: string, ...options: string[]) =>
    ok('run', '--rm', ...options, 'latin', 'sh', '-c', look, 'sh', path);
  expect(await read('/x')).toBe('1\n1');
  expect(await read('/v', '-v', 'latin-volume:/x', '-v', 'latin-volume:/v')).toBe('1\n1');
  await ok('export', '-o', join(scratch, 'latin-export.tar'), 'latin');
  expect(await names(join(scratch, 'latin-export.tar'))).toContain('x/caf\\351');
  const copied = join(scratch, 'x');
  await ok('cp', 'latin:/x', copied);
  expect(readdirSync(copied, 'latin1').sort()).toEqual(['caf\xe9', 'l\xe9']);
  await ok('cp', copied, 'latin:/back');
  // The path itself has such a name: from there, and to there.
  const cp = (from: string, to: string) => {
    const script = `cd ${scratch}; docker -H unix://${engine.socket} cp "$(printf '${from}')" "$(printf '${to}')"`;
    execFileSync('sh', ['-c', script], { stdio: 'pipe' });
  };
  cp('latin:/x/caf\\351', 'caf\\351');
  cp('caf\\351', 'latin:/x/new\\351');
  await expect(async () => cp('latin:/x/none\\351', '.')).rejects.toThrow('Could not find the file /x/none\ufffd');
  const head = await engine.api('HEAD', '/containers/latin/archive?path=/x/l%E9');
  const header = Buffer.from(String(head.headers['x-docker-container-path-stat']), 'base64').toString();
  expect(JSON.parse(header)).toMatchObject({ name: 'l\ufffd', linkTarget: '/x/caf\ufffd' });
  await ok('commit', 'latin', 'latin');
  expect(await read('/back')).toBe('1\n1');
  expect(await ok('run', '--rm', 'latin', 'sh', '-c', 'cd /x; ls | wc -l; cat new*; test -h l*')).toBe('3\n1');
  await ok('rm', 'latin');
  await ok('volume', 'rm', 'latin-volume');
});

test('file capabilities and attributes survive cp both ways, commit and export', async () => {
  const file = join(scratch, 'capped');
  copyFileSync('/bin/true', file);
  execFileSync('setcap', ['cap_net_raw+ep', file]);
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', file]);
  const attributes = ['--xattrs', '--xattrs-include=*'];
  const archive = execFileSync('tar', [...attributes, '-C', scratch, '-c', 'capped']);
  await ok('create', '--name', 'capped', 'busybox');
  expect((await engine.docker('cp', '-', 'capped:/etc', { input: archive })).code).toBe(0);
  await ok('commit', 'capped', 'capped');
  await ok('create', '--name', 'again', 'capped');
  await ok('cp', 'again:/etc/capped', join(scratch, 'capped-copy'));
  await ok('export', '-o', join(scratch, 'capped.tar'), 'again');
  execFileSync('tar', [...attributes, '-C', scratch, '-xf', join(scratch, 'capped.tar'), 'etc/capped']);
  expect(execFileSync('tar', ['-xOf', join(scratch, 'capped.tar'), 'etc/passwd']).toString()).toContain('root');
  for (const copy of [join(scratch, 'capped-copy'), join(scratch, 'etc/capped')]) {
    expect(execFileSync('getcap', [copy]).toString()).toContain('cap_net_raw=ep');
  }
  const note = execFileSync('getfattr', ['--only-values', '-n', 'user.note', join(scratch, 'etc/capped')]);
  expect(note.toString()).toBe('kept');
  await ok('rm', 'capped', 'again');
});

/** PUT of bytes as an archive. */
function put(container: string, path: string, body: Buffer): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const target = `/containers/${container}/archive?path=${path}`;
    const sent = request({ socketPath: engine.socket, method: 'PUT', path: target }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on('error', reject).end(body);
  });
}

test('bodies that are compressed, sparse, damaged or no archive at all', async () => {
  const directory = mkdtempSync(join(scratch, 'bodies-'));
  writeFileSync(join(directory, 'file'), 'content');
  execFileSync('truncate', ['-s', '5M', join(directory, 'hole')]);
  const archive = execFileSync('tar', ['-cS', '--format=posix', '-C', directory, 'file', 'hole']);
  await sh('sleep 100', '-d', '--name', 'taker');
  for (const command of ['gzip', 'bzip2', 'xz', 'zstd']) {
    await ok('exec', 'taker', 'sh', '-c', 'rm -rf /in; mkdir /in');
    const body = execFileSync(command, ['-c'], { input: archive });
    expect(await put('taker', '/in', body), command).toEqual({ status: 200, body: '' });
    expect(await ok('exec', 'taker', 'sh', '-c', 'cat /in/file; wc -c < /in/hole')).toBe('content5242880');
    const damaged = await put('taker', '/in', Buffer.from(body).fill(0xaa, 14));
    expect(damaged, command).toMatchObject({ status: 400, body: expect.stringContaining('data is damaged') });
  }
  for (const body of [Buffer.from('rubbish'.repeat(200)), archive.subarray(0, 300)]) {
    expect(await put('taker', '/in', body)).toMatchObject({ status: 400 });
  }
  expect(await put('taker', '/in%00x', archive)).toMatchObject({ status: 400 });
  expect(await put('taker', `/${'x'.repeat(5000)}`, archive)).toMatchObject({ status: 400 });
  await ok('rm', '-f', 'taker');
});

test('a copy that waits while its container is removed is told so, and brings nothing of it back', async () => {
  await ok('create', '--name', 'leaver', 'busybox');
  const look = () => engine.api('GET', '/containers/leaver/archive?path=/');
  // The first holds the container, so that the removal waits, and the others after it.
  const first = [look(), look()];
  const removed = engine.api('DELETE', '/containers/leaver');
  const answers = await Promise.all([...first, ...Array.from({ length: 4 }, look)]);
  expect(await removed).toMatchObject({ status: 204 });
  expect(answers.filter(({ status }) => status !== 200 && status !== 404)).toEqual([]);
  expect(readdirSync(join(engine.dataRoot, 'containers'))).toEqual([]);
});

test('a copy from a container whose process has just ended waits until that is known', async () => {
  await ok('run', '-d', '--name', 'ender', 'busybox', 'sleep', '1000');
  const pid = Number(await ok('inspect', '--format', '{{.State.Pid}}', 'ender'));
  const monitor = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  process.kill(monitor, 'SIGSTOP');
  let copy: ReturnType<Engine['api']> | undefined;
  try {
    process.kill(pid, 'SIGKILL');
    copy = engine.api('GET', '/containers/ender/archive?path=/bin/busybox');
    await Promise.race([copy, sleep(500)]);
  } finally {
    process.kill(monitor, 'SIGCONT');
  }
  expect(await copy).toMatchObject({ status: 200 });
  await ok('rm', 'ender');
});
