import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { clientOf } from './support/client.js';
import { docker } from './support/docker.js';
import { type Engine, startEngine } from './support/engine.js';
import { Program } from './support/program.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** An engine and a stock dockerd in one network namespace, as on one host: neither cuts the other's containers off. */
const bridged = ['--bridge=', '--bip=10.231.7.1/24', '--iptables=true', '--ip-forward=true'];
const hostAddress = '198.51.100.1';
const worldAddress = '198.51.100.2';

test.runIf(stockDockerdInstalled).each(['dockerd', 'Cleat'] as const)(
  'both serve, and each goes on when the other has ended; %s starts first',
  async (first) => {
    const directory = mkdtempSync('/tmp/cleat-beside-');
    await using stock = await StockDockerd.start(bridged);
    await using world = await World.start(directory, stock.pid);
    const inside = (command: string, ...args: string[]) => at(stock.pid, command, ...args);
    if (first === 'Cleat') {
      await stock.kill('SIGTERM');
      // As if it had never been there.
      await inside('sh', '-c', 'nft flush ruleset; ip link delete docker0 || true');
    }
    const enter = ['nsenter', `--net=/proc/${stock.pid}/ns/net`];
    await using engine: Engine = await startEngine({ enter });
    const ours = clientOf(() => engine);
    const serve = ['sh', '-c', 'mkdir /w; echo served > /w/f; exec httpd -f -p 80 -h /w'];
    const run = (name: string, port: string) => [
      'run',
      '-d',
      '--name',
      name,
      '--stop-signal',
      'KILL',
      '-p',
      `${port}:80`,
      'busybox',
      ...serve,
    ];
    await ours.ok(...run('our', '8001'));
    if (first === 'Cleat') await stock.restart();
    const theirs = clientOf(() => ({ docker: (...args) => docker(stock.host, directory, args) }));
    const { code } = await docker(stock.host, directory, ['import', '-', 'busybox', { input: await busyboxTar() }]);
    expect(code).toBe(0);
    await theirs.ok(...run('their', '8002'));
    // As dockerd sets it where it is the one that switches forwarding on.
    await inside('iptables', '-P', 'FORWARD', 'DROP');

    const reachesOut = ['sh', '-c', got(`http://${worldAddress}/f`)];
    const served = (port: number) => world.fetch(`http://${hostAddress}:${port}/f`);
    const ourWork = async () => {
      await expect.poll(() => served(8001), { timeout: 10_000 }).toBe('served\n');
      expect(await ours.ok('exec', 'our', ...reachesOut)).toBe('world');
      await ours.ok(
        'exec',
        'neighbour',
        'ping',
        '-c1',
        '-W5',
        await ours.ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'our'),
      );
    };
    const theirWork = async () => {
      await expect.poll(() => served(8002), { timeout: 10_000 }).toBe('served\n');
      expect(await theirs.ok('exec', 'their', ...reachesOut)).toBe('world');
    };
    await ours.ok('run', '-d', '--name', 'neighbour', 'busybox', 'sleep', '1000');
    await ourWork();
    await theirWork();

    await stock.kill('SIGTERM');
    await ourWork();
    // It makes its rules anew.
    await stock.restart();
    await theirs.ok('start', 'their');
    await ourWork();
    await theirWork();
    expect(await engine.kill('SIGTERM')).toBe(0);
    await theirWork();
    expect(await inside('nft', 'list', 'tables')).not.toContain('cleat');
    expect(await inside('iptables-save')).not.toContain('cleat');
    expect(await inside('ip', '-o', 'link')).not.toContain(engine.bridge);
  },
);

async function at(pid: number, command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('nsenter', [`--net=/proc/${pid}/ns/net`, command, ...args]);
  return stdout;
}

/** A shell command that says the last line of a page. Statically linked, `wget` of busybox may fail to resolve names. */
function got(url: string, before = ''): string {
  const { hostname, port, pathname } = new URL(url);
  return `printf 'GET ${pathname} HTTP/1.0\\r\\n\\r\\n' | ${before}nc -w 3 ${hostname} ${port || 80} | tail -n 1`;
}

/** The world outside: a namespace with a cable to the engines' namespace, and a server that says who it is. */
class World implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    readonly directory: string,
  ) {}

  static async start(directory: string, hostPid: number): Promise<World> {
    writeFileSync(join(directory, 'f'), 'world\n');
    const script = `ip link set lo up; touch ${directory}/there; exec busybox httpd -f -p 80 -h ${directory}`;
    const world = new World(new Program('unshare', ['--net', 'sh', '-c', script]), directory);
    await world.program.made(join(directory, 'there'));
    await at(hostPid, 'ip', 'link', 'set', 'lo', 'up');
    await at(
      hostPid,
      'ip',
      'link',
      'add',
      'cable0',
      'type',
      'veth',
      'peer',
      'name',
      'cable1',
      'netns',
      String(world.program.pid),
    );
    for (const [pid, link, address] of [
      [hostPid, 'cable0', hostAddress],
      [world.program.pid, 'cable1', worldAddress],
    ] as const) {
      await at(pid, 'ip', 'address', 'add', `${address}/24`, 'dev', link);
      await at(pid, 'ip', 'link', 'set', link, 'up');
    }
    return world;
  }

  fetch(url: string): Promise<string> {
    return at(this.program.pid, 'sh', '-c', got(url, 'busybox ')).catch(String);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.end('SIGKILL');
    rmSync(this.directory, { recursive: true });
  }
}
