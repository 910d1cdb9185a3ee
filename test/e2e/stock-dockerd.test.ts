import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { busyboxTar } from '../../cli/tour/busybox.js';
import { startEngine } from './support/engine.js';
import { Program } from './support/program.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

const noRemove = fileURLToPath(new URL('../../examples/no-remove/dist/main.js', import.meta.url));
/** Where a stock dockerd looks for sockets, and nowhere else. */
const stockPlugins = '/run/docker/plugins';

test.skipIf(!stockDockerdInstalled)('no-remove serves a stock dockerd and this engine, as one program', async () => {
  const scratch = await mkdtemp('/tmp/cleat-no-remove-');
  const driver = basename(scratch);
  const socket = join(stockPlugins, `${driver}.sock`);
  try {
    await mkdir(stockPlugins, { recursive: true });
    await using engine = await startEngine();
    await using stock = await StockDockerd.start();
    // It comes after both daemons.
    await using plugin = new Program(process.execPath, [noRemove, '--socket', socket, '--root', join(scratch, 'data')]);
    await plugin.made(socket);
    await writeFile(join(engine.pluginDirectory, `${driver}.spec`), `unix://${socket}\n`);
    const input = await busyboxTar();
    expect(await engine.dockerAt(stock.host, 'import', '-', 'busybox', { input })).toMatchObject({ code: 0 });
    const outcomes: string[] = [];
    for (const host of [stock.host, `unix://${engine.socket}`]) {
      const ok = async (...args: string[]) => {
        const { code, stdout, stderr } = await engine.dockerAt(host, ...args);
        expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
        return stdout.trim();
      };
      const run = (script: string) =>
        ok(
          'run',
          '--rm',
          '--network=none',
          '-v',
          'data:/d',
          `--volume-driver=${driver}`,
          'busybox',
          'sh',
          '-c',
          script,
        );
      await run('echo kept >> /d/f');
      expect(await ok('volume', 'inspect', '--format', '{{.Driver}} {{.Scope}}', 'data')).toBe(`${driver} local`);
      await ok('volume', 'rm', 'data');
      expect(await ok('volume', 'ls', '-q')).toBe('');
      outcomes.push(await run('cat /d/f'));
      await ok('volume', 'rm', 'data');
    }
    expect(outcomes).toEqual(['kept', 'kept\nkept']);
  } finally {
    await rm(socket, { force: true });
    await rm(scratch, { recursive: true, force: true });
  }
});
