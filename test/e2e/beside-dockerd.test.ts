import { mkdtempSync } from 'node:fs';
import { expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { clientOf } from './support/client.js';
import { docker } from './support/docker.js';
import { type Engine, startEngine } from './support/engine.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';
import { at, got, hostAddress, World, worldAddress } from './support/world.js';

/** An engine and a stock dockerd in one network namespace, as on one host: neither cuts the other's containers off. */
const bridged = ['--bridge=', '--bip=10.231.7.1/24', '--iptables=true', '--ip-forward=true'];

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
      await expect.poll(() => served(8001)).toBe('served\n');
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
      await expect.poll(() => served(8002)).toBe('served\n');
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
