import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** Each step of a start's network that this host makes fails once: the error is clear, and nothing is left of the start. */
const tools = mkdtempSync('/tmp/cleat-faults-');
const broken = join(tools, 'broken');
let engine: Engine;

/** `ip`, `nft` and `unshare` as they are, but for commands that match the file `broken`. */
function putTools(): void {
  const real = (name: string) => `exec "$(PATH="\${PATH#*:}" command -v ${name})" "$@"`;
  const script = (name: string, text: string) =>
    writeFileSync(join(tools, name), `#!/bin/sh\nb=${broken}\n${text}\n`, { mode: 0o755 });
  const filtered = `while IFS= read -r line; do
    if [ -s $b ] && printf '%s' "$line" | grep -qf $b; then echo "on-purpose"; else printf '%s\\n' "$line"; fi
  done | `;
  script('ip', `case "$*" in *-batch*) ;; *) ${real('ip')} ;; esac\n${filtered}${real('ip')}`);
  const refused = `input=$(cat); if [ -s $b ] && printf '%s' "$input" | grep -qf $b; then
    echo "Error: on-purpose" >&2; exit 1; fi\nprintf '%s\\n' "$input" | `;
  script('nft', `case "$*" in "-f -") ;; *) ${real('nft')} ;; esac\n${refused}${real('nft')}`);
  script('unshare', `if grep -qx unshare $b; then echo "on-purpose" >&2; exit 1; fi\n${real('unshare')}`);
}

beforeAll(async () => {
  putTools();
  writeFileSync(broken, '');
  const enter = ['unshare', '--net', 'sh', '-c', 'ip link set lo up; exec "$0" "$@"'];
  engine = await startEngine({ enter, env: { PATH: `${tools}:${process.env.PATH}` } });
  await ok('network', 'create', '--ipv6', 'dual');
});
afterAll(async () => {
  writeFileSync(broken, '');
  await engine?.[Symbol.asyncDispose]();
  rmSync(tools, { recursive: true });
});
const { ok, refused } = clientOf(() => engine);

async function inside(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('nsenter', [`--net=/proc/${engine.pid}/ns/net`, command, ...args]);
  return stdout;
}

const links = async () => (await inside('ip', '-o', 'link')).split('\n').filter((line) => line.includes('veth'));
const published = () => inside('sh', '-c', 'nft list ruleset | grep -E "tcp [.] 8[.0-9]* :" || true');
const listening = () => inside('sh', '-c', 'grep -h :1F90 /proc/net/tcp /proc/net/tcp6 || true');

test.each([
  ['unshare', 'network namespace'],
  ['^link add veth', 'ip link add veth'],
  ['^link set dev veth.* master', 'master'],
  ['^link set dev veth.* name eth0', 'name eth0'],
  ['^link set dev eth0 up', 'ip link set dev eth0 up'],
  ['^address add 1', 'ip address add'],
  ['^address add fd', 'ip address add fd'],
  ['^route replace 0.0.0.0/0', 'ip route replace 0.0.0.0/0'],
  ['^add element inet', 'driver failed programming external connectivity on endpoint cc'],
])('%s fails', async (pattern, says) => {
  await ok('create', '--name', 'cc', '--network', 'dual', '-p', '8080:80', 'busybox', 'sleep', '1000');
  writeFileSync(broken, `${pattern}\n`);
  const why = await refused('start', 'cc');
  writeFileSync(broken, '');
  expect(why).toContain(says);
  expect(await ok('inspect', '-f', '{{.State.Status}} {{.NetworkSettings.SandboxID}}', 'cc')).toBe('created');
  await expect.poll(links).toEqual([]);
  expect(await published()).toBe('');
  expect(await listening()).toBe('');
  expect(readdirSync(join(engine.execRoot, 'netns'))).toEqual([]);
  // Neither its address nor its port is held by what failed.
  await ok('start', 'cc');
  expect(await ok('inspect', '-f', '{{.NetworkSettings.Networks.dual.IPAddress}}', 'cc')).toMatch(/\.2$/);
  expect(await links()).toHaveLength(1);
  expect(await ok('exec', 'cc', 'nslookup', 'cc')).toContain('cc');
  await ok('rm', '-f', 'cc');
});

test('without its name service a container runs all the same, as on a stock engine, and the log says so', async () => {
  writeFileSync(broken, 'dnat to 127.0.0.11\n');
  await ok('run', '-d', '--name', 'cc', '--network', 'dual', 'busybox', 'sleep', '1000');
  writeFileSync(broken, '');
  await expect.poll(() => engine.log()).toMatch(/names cannot be redirected in .*on-purpose/);
  await ok('restart', '-t', '0', 'cc');
  expect(await ok('exec', 'cc', 'nslookup', 'cc')).toContain('cc');
  await ok('rm', '-f', 'cc');
});
