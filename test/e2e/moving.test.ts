import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { docker } from './support/docker.js';
import { allBlocks, substitute } from './support/documents.js';
import { startEngine } from './support/engine.js';
import { runShell } from './support/shell.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** docs/guide/moving-from-dockerd.md, from a stock dockerd to an engine. */
const [addresses = '', configuration = '', images = '', volumes = ''] = allBlocks()
  .filter(({ document }) => document === 'docs/guide/moving-from-dockerd.md')
  .map(({ text }) => text);

test.runIf(stockDockerdInstalled)('configuration, images and volumes move from a dockerd', async () => {
  await using old = await StockDockerd.start();
  await using engine = await startEngine({ busybox: false });
  const config = join(engine.directory, 'etc');
  mkdirSync(config);
  writeFileSync(join(config, 'daemon.json'), '{"storage-driver": "overlay2", "log-opts": {"max-size": "5m"}}');
  const stock = async (...args: Parameters<typeof docker>[2]) => {
    const result = await docker(old.host, engine.directory, args);
    expect(result).toMatchObject({ code: 0 });
    return result.stdout;
  };
  await stock('import', '-c', 'CMD ["sh"]', '-', 'busybox', { input: await busyboxTar() });
  await stock(
    'run',
    '--rm',
    '-v',
    'data:/d',
    '-w',
    '/d',
    'busybox',
    'sh',
    '-c',
    'echo kept >f && chown 7:8 f && chmod 640 f',
  );

  const lines = [
    substitute(addresses, { 'unix:///run/docker.sock': old.host, 'unix:///run/cleat.sock': `unix://${engine.socket}` }),
    substitute(configuration, { '/etc/docker/daemon.json': join(config, 'daemon.json') }),
    images,
    volumes,
    'docker -H $NEW run --rm -v data:/d busybox sh -c "cat /d/f; ls -ln /d/f"',
  ];
  const printed = await runShell(lines.join('\n'), engine.directory);
  expect(printed).toContain('configuration OK');
  expect(printed).toMatch(/^warning: "storage-driver" in .* has no effect/m);
  expect(printed).toContain('Loaded image: busybox:latest');
  expect(printed).toMatch(/^kept\r?\n-rw-r----- +1 7 +8 /m);
});
