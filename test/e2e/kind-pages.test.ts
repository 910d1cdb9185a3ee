import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KindLabel, kindLabels, kindOf } from '@cleat/protocol/kinds/index';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allBlocks, checkout } from './support/documents.js';
import { Reader, readDrawing, type Side, wordsOf } from './support/drawing.js';
import { type ErrorRow, errorRows } from './support/error-table.js';
import { KindBench } from './support/kind-bench.js';
import { stockDockerdInstalled } from './support/stock-dockerd.js';

/** The pages about kinds are acted: what they draw is what engines say to a plugin, and what they promise users see. */
const drawings = allBlocks().filter(({ language }) => language === 'sequence');

/** The page of each kind, and the one about all of them, which is acted by a volume plugin. */
const pages: readonly [name: string, kind: KindLabel][] = [
  ['README', 'volume'],
  ...kindLabels.map((label): [string, KindLabel] => [label, label]),
];

/** A page says in a comment what its plugin is called, and with which options an engine knows of it. */
function actedWith(page: string): { plugin: string; flags: string[] } {
  const [, plugin = '', flags = ''] = /^<!-- acted with: ([\w-]+)(.*) -->$/m.exec(page) ?? [];
  if (plugin === '') throw new Error('a page needs a comment: <!-- acted with: PLUGIN [OPTION…] -->');
  return { plugin, flags: flags.split(' ').filter(Boolean) };
}

const fileOf = (name: string): string => `docs/guide/kinds/${name}.md`;

test('every drawing is on a page that is acted here', () => {
  const files = pages.map(([name]) => fileOf(name));
  expect(drawings.filter(({ document }) => !files.includes(document)).map(({ name }) => name)).toEqual([]);
});

test('an exchange that differs from its drawing is shown in full', () => {
  const exchange = (body: Record<string, unknown>) => ({ call: 'A.B', body, answer: { status: 200, text: '{}' } });
  const drawn = ['engine -> plugin A.B {ID: <one>, …}', 'engine -> plugin A.B {ID: <two>}'];
  const told = (...bodies: Record<string, unknown>[]) => new Reader().told(drawn, bodies.map(exchange));
  expect(told({ ID: 'x', More: 1 }, { ID: 'y' })).toEqual(drawn);
  expect(told({ ID: 'x' }, { ID: 'x' })).toEqual([drawn[0], 'engine -> plugin A.B {ID: x}']);
  expect(told({ ID: 'x' }, { ID: 'y', More: 1 })).toEqual([drawn[0], 'engine -> plugin A.B {ID: y, More: 1}']);
  expect(told({ Name: 'a b' })).toEqual(['engine -> plugin A.B {Name: "a b"}']);
  const reader = new Reader();
  reader.allow(['engine -> plugin A.B {Any: …}']);
  expect(reader.told(['engine -> plugin A.B {ID: x}'], [{ Any: 1 }, { ID: 'x' }, { Any: 2 }].map(exchange))).toEqual([
    'engine -> plugin A.B {ID: x}',
  ]);
  expect(() => readDrawing('$ docker ps\nplugin -> engine  A.B', 'Cleat')).toThrow('cannot be read');
});

for (const [name, kind] of pages) {
  const page = readFileSync(join(checkout, fileOf(name)), 'utf8');
  const { plugin, flags } = actedWith(page);
  // Docker takes plugins of some kinds only where it installed them itself, which is another program.
  const onlyCleat = kindOf(kind).stockDocker !== 'found or installed';
  const sides: Side[] = onlyCleat || !stockDockerdInstalled ? ['Cleat'] : ['dockerd', 'Cleat'];
  describe.each(sides)(`${fileOf(name)}, %s`, (side) => {
    let bench: KindBench;
    beforeAll(async () => {
      bench = await KindBench.start(side, kind, plugin, flags);
    });
    afterAll(() => bench[Symbol.asyncDispose]());

    // In their order: the drawings of a page are one story.
    for (const drawing of drawings.filter(({ document }) => document === fileOf(name))) {
      test(drawing.name, () => act(bench, side, drawing.text));
    }

    const rows = name === 'README' ? [] : errorRows(page);
    test.each(rows)('$call, answered $answer.status $answer.text', (row) => see(bench, side, row));
  });
}

async function act(bench: KindBench, side: Side, text: string): Promise<void> {
  const reader = new Reader();
  for (const { action, messages, perhaps, printed } of readDrawing(text, side)) {
    reader.allow(perhaps);
    if ('event' in action) await bench.happen(action.event);
    else {
      const { code, stdout, stderr } = await bench.docker(...action.docker);
      if (printed.length === 0) expect({ ...action, code, stderr }).toEqual({ ...action, code: 0, stderr });
      for (const line of printed) expect(stdout + stderr).toContain(line);
    }
    // Some of what a command leads to comes after it.
    await expect.poll(() => reader.told(messages, bench.plugin.exchanges)).toEqual(messages);
    bench.plugin.taken();
  }
}

async function see(bench: KindBench, side: Side, { call, answer, command, seen }: ErrorRow): Promise<void> {
  bench.plugin.answers.set(call, answer);
  try {
    const { stdout, stderr } = await bench.docker(...wordsOf(command));
    expect(stdout + stderr).toContain(seen[side]);
    expect(bench.plugin.exchanges.map((exchange) => exchange.call)).toContain(call);
  } finally {
    await bench.clear();
  }
}
