import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { busyboxTar } from '../support/busybox.js';
import { checkout, shown, substitute } from '../support/documents.js';
import { startEngine } from '../support/engine.js';
import { Program } from '../support/program.js';
import { ShownDaemon } from '../support/shown-daemon.js';
import { programsBeside } from '../support/shown-programs.js';
import { StockDockerd, stockDockerdInstalled } from '../support/stock-dockerd.js';

/** examples/no-privileges: its README, and the same on a stock dockerd. */
test('on Cleat and on a stock dockerd, nobody gets to the host', async () => {
  const scratch = await mkdtemp('/tmp/cleat-no-privileges-');
  const name = basename(scratch);
  try {
    await using engine = await startEngine();
    const { run, startShown } = programsBeside(() => engine);
    const story = shown('examples/no-privileges/README.md', 'docker run --rm busybox echo fine');
    const input = await busyboxTar();
    const command = shown('examples/no-privileges/README.md', 'cleatd');
    const start = shown('examples/no-privileges/README.md', 'node examples/no-privileges');
    await using daemon = await ShownDaemon.start(command.trim(), engine);
    await using _plugin = await startShown(
      substitute(start, { 'unix:///run/cleat.sock': daemon.host }),
      'no-privileges',
    );
    const hosts = [daemon.host];
    await using stock = stockDockerdInstalled
      ? await StockDockerd.start([`--authorization-plugin=${name}`])
      : undefined;
    const socket = join(stock?.plugins ?? scratch, `${name}.sock`);
    const main = join(checkout, 'examples/no-privileges/dist/main.js');
    await using other = new Program(process.execPath, [
      main,
      '--socket',
      socket,
      '--engine',
      stock?.host ?? daemon.host,
    ]);
    await other.made(socket);
    if (stock) hosts.push(stock.host);
    for (const host of hosts) {
      expect(await engine.dockerAt(host, 'import', '-', 'busybox', { input })).toMatchObject({ code: 0 });
      const printed = await run(story.replaceAll('docker run', 'docker run --network none'), { DOCKER_HOST: host });
      expect(printed.match(/^fine\r?$/gm)).toHaveLength(1);
      expect(printed.match(/^refused\r?$/gm)).toHaveLength(4);
      // An answer that is no denial would be another reason.
      expect(printed.match(/authorization denied by plugin/g)).toHaveLength(4);
      const docker = (...args: string[]) => engine.dockerAt(host, ...args);
      expect((await docker('network', 'inspect', '-f', '{{.Id}}', 'host')).code).toBe(0);
      const { stdout } = await docker('network', 'inspect', '-f', '{{.Id}}', 'host');
      expect((await docker('create', '--network', stdout.trim(), 'busybox')).stderr).toContain(
        'leads to the host: host',
      );
    }
  } finally {
    await rm(scratch, { recursive: true });
  }
});
