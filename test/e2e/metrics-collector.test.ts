import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Engine, startEngine } from './support/engine.js';
import { Program } from './support/program.js';

/** A collector as others write them: plain HTTP both ways. Tells what it was asked, and some of what it read. */
const program = `
import { appendFileSync, rmSync } from 'node:fs';
import { createServer, get } from 'node:http';
const [socket, page, book] = process.argv.slice(2);
rmSync(socket, { force: true });
const note = (line) => appendFileSync(book, line + '\\n');
createServer((request, response) => {
  if (request.url === '/Plugin.Activate') return response.end('{"Implements":["MetricsCollector"]}');
  note(request.url);
  response.end('{}');
  if (!request.url.endsWith('StartMetrics')) return;
  get({ socketPath: page, path: '/metrics' }, async (answer) => {
    let text = '';
    for await (const chunk of answer) text += chunk;
    note(text.split('\\n').filter((line) => line.startsWith('engine_daemon_container_states')).join(' '));
  });
}).listen(socket);
`;

let engine: Engine;
afterEach(() => engine[Symbol.asyncDispose]());

function collector(): Program {
  const path = join(engine.directory, 'collector.mjs');
  writeFileSync(path, program);
  const socket = join(engine.pluginDirectory, 'ledger.sock');
  return new Program(process.execPath, [path, socket, join(engine.execRoot, 'metrics.sock'), book()]);
}
const book = (): string => join(engine.directory, 'book');
const said = (): string[] => {
  try {
    return readFileSync(book(), 'utf8').trimEnd().split('\n');
  } catch {
    // Nothing yet.
    return [];
  }
};

const started = '/MetricsCollector.StartMetrics';
const figures = expect.stringContaining('engine_daemon_container_states_containers{state="running"} 0');

test('a collector is started whenever it comes, after its death and the engine’s, and told of the end', async () => {
  engine = await startEngine({ flags: ['--metrics-collector=ledger'] });
  expect(engine.log()).toContain('plugin \\"ledger\\" not found');
  const first = collector();
  await expect.poll(said).toEqual([started, figures]);
  expect(statSync(join(engine.execRoot, 'metrics.sock')).mode & 0o777).toBe(0o600);

  await first.end('SIGKILL');
  await using _ = collector();
  await expect.poll(said).toEqual([started, figures, started, figures]);

  await engine.kill('SIGKILL');
  await engine.restart();
  await expect.poll(said).toHaveLength(6);

  await engine.kill('SIGTERM');
  expect(said().slice(4)).toEqual([started, figures, '/MetricsCollector.StopMetrics']);
});
