import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { unmountAll } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { Program } from './support/program.js';
import { StockDockerd, shareMounts, stockDockerdInstalled } from './support/stock-dockerd.js';

/** A plugin that was written with the kit, under a stock dockerd, and killed. */
const main = fileURLToPath(new URL('support/shared-mounts.mjs', import.meta.url));
let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-shared-mounts-');
});
afterEach(() => {
  unmountAll(directory);
  rmSync(directory, { recursive: true });
});

test.skipIf(!stockDockerdInstalled)(
  'a mount that a container uses stays and others go, although the plugin is killed',
  async () => {
    const name = basename(directory);
    const plugins = join(directory, 'plugins');
    mkdirSync(plugins);
    const socket = join(plugins, `${name}.sock`);
    shareMounts(directory);
    const mounted = () => listMounts(join(directory, 'mounts')).length;
    const programs: Program[] = [];
    const start = async () => {
      rmSync(socket, { force: true });
      const program = new Program(process.execPath, [main, '--directory', directory, '--socket', socket]);
      programs.push(program);
      await program.made(socket);
      return program;
    };
    try {
      await using stock = await StockDockerd.start([], plugins);
      const docker = async (...args: string[]) =>
        (await promisify(execFile)('docker', ['-H', stock.host, ...args], { timeout: 240_000 })).stdout.trim();
      const holders = async () => Number(await docker('volume', 'inspect', '-f', '{{.Status.holders}}', 'data'));
      writeFileSync(join(directory, 'busybox.tar'), await busyboxTar());
      await docker('import', join(directory, 'busybox.tar'), 'busybox');
      const container = (...args: string[]) => docker('run', '--network=none', '-v', 'data:/v', ...args);

      // Running containers would outlive their daemon.
      await using _containers = {
        [Symbol.asyncDispose]: () =>
          docker('rm', '-f', 'one', 'two').then(
            () => {},
            () => {},
          ),
      };
      let plugin = await start();
      await docker('volume', 'create', '-d', name, 'data');
      await container('-d', '--name=one', 'busybox', 'sh', '-c', 'echo kept > /v/file; sleep 1000');
      await container('-d', '--name=two', 'busybox', 'sleep', '1000');
      expect([mounted(), await holders()]).toEqual([1, 2]);

      // The Unmount for the first container meets nobody, and is not repeated.
      await plugin.end('SIGKILL');
      await docker('rm', '-f', 'one').catch(() => {});
      plugin = await start();
      expect([mounted(), await holders()]).toEqual([1, 2]);
      expect(await docker('exec', 'two', 'cat', '/v/file')).toBe('kept');
      expect(await container('--rm', 'busybox', 'cat', '/v/file')).toBe('kept');
      await docker('rm', '-f', 'two');
      expect([mounted(), await holders()]).toEqual([1, 1]);

      // Nobody will ever speak for the one that is left.
      await plugin.end('SIGKILL');
      await start();
      expect([mounted(), await holders()]).toEqual([0, 0]);
      expect(await docker('volume', 'rm', 'data')).toBe('data');
    } finally {
      for (const program of programs) await program.end('SIGKILL');
      rmSync(socket, { force: true });
    }
  },
);
