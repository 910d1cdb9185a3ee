import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { metricsKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import metricsCollector from './metrics-collector.js';

let directory: string;
let page: string;
let textfile: string;
let server: Server | undefined;
let figure: number;

async function open(): Promise<void> {
  const text = () => `# TYPE some_figure counter\nsome_figure ${figure++}\n`;
  const opened = createServer((request, response) => {
    response.statusCode = request.url === '/metrics' ? 200 : 404;
    response.end(text());
  });
  server = opened;
  await new Promise<void>((resolve) => opened.listen(page, resolve));
}
async function close(): Promise<void> {
  const closing = server;
  server = undefined;
  if (closing) await new Promise((resolve) => closing.close(resolve));
}

beforeEach(async () => {
  directory = mkdtempSync('/tmp/cleat-metrics-collector-');
  [page, textfile] = [join(directory, 'metrics.sock'), join(directory, 'engine.prom')];
  figure = 1;
  await open();
});
afterEach(async () => {
  await close();
  rmSync(directory, { recursive: true });
});

const written = () => (existsSync(textfile) ? readFileSync(textfile, 'utf8') : undefined);

describe.each(['in-process', 'socket'] as const)('metrics-collector, %s', (carrier) => {
  const start = (more = {}) =>
    startForTest(metricsCollector, { name: 'metrics-collector', carrier, options: { page, textfile, ...more } });

  test('keeps the page in a file, anew each time, for as long as the engine has one', async () => {
    await using plugin = await start({ every: '0.02' });
    const collector = plugin.client(metricsKind);
    expect(written()).toBeUndefined();
    await collector.StartMetrics({});
    await expect.poll(written).toMatch(/^some_figure [3-9]\n/m);
    expect(written()).toMatch(/^engine_page_up 1\n/m);
    await close();
    await expect.poll(written).toBe('# TYPE engine_page_up gauge\nengine_page_up 0\n');
    await open();
    await expect.poll(written).toContain('engine_page_up 1');
    await collector.StopMetrics({});
    expect(written()).toBeUndefined();
  });

  test('an engine that came back starts it again, and it reads once at a time', async () => {
    {
      await using plugin = await start({ every: '1000' });
      const collector = plugin.client(metricsKind);
      for (const _ of ['once', 'again']) await collector.StartMetrics({});
      await expect.poll(written).toMatch(/^some_figure 2\n/m);
    }
    expect(written()).toBeUndefined();
  });

  test('a page of what is no engine is none', async () => {
    await using plugin = await start({ page: join(directory, 'nothing.sock') });
    await plugin.client(metricsKind).StartMetrics({});
    await expect.poll(written).toContain('engine_page_up 0');
  });

  test.each([{ textfile: undefined }, { every: 'soon' }, { every: '0' }])('%o is refused', async (options) => {
    await expect(start(options)).rejects.toThrow(/--textfile FILE|--every takes seconds/);
  });
});
