import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/**
 * The files of a room share its context. A function that needs a part or two of it takes them
 * (`Pick<Context, 'log'>`), so that its first line says what it touches.
 */
const engine = fileURLToPath(new URL('../../engine/', import.meta.url));

/** A function with a whole context that uses less than three of its parts, and hands it on to nobody who needs more. */
function greedy(source: string): string[] {
  const functions = source.matchAll(
    /^(?:export )?(?:async )?function\*? (\w+)(?:<[^(]*>)?\(\s*(\w+): (?:Networks)?Context\b([\s\S]*?)^\}/gm,
  );
  return [...functions].flatMap(([, name = '', context = '', rest = '']) => {
    const uses = [...rest.matchAll(new RegExp(`\\b${context}\\b(?:\\??\\.(\\w+))?`, 'g'))].map(([, part]) => part);
    return uses.includes(undefined) || new Set(uses).size > 2 ? [] : [`${name} needs ${[...new Set(uses)].join(', ')}`];
  });
}

test('a function takes the parts that it needs, not all that its room has', () => {
  const files = readdirSync(engine, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /(?<!\.test|\.fixture|\.d)\.ts$/.test(file) && !/^dist\/|node_modules/.test(file),
  );
  expect(files.length).toBeGreaterThan(200);
  const found = files.flatMap((file) =>
    greedy(readFileSync(join(engine, file), 'utf8')).map((complaint) => `engine/${file}: ${complaint}`),
  );
  expect(found).toEqual([]);
});

test('the checker finds what takes too much, and nothing else', () => {
  expect(greedy('function one(context: Context, id: string): void {\n  context.log.info(id);\n}\n')).toEqual([
    'one needs log',
  ]);
  expect(greedy('export async function two(\n  context: NetworksContext,\n) {\n  context.a(context.b);\n}\n')).toEqual([
    'two needs a, b',
  ]);
  expect(greedy('function all(context: Context) {\n  other(context, context.log);\n}\n')).toEqual([]);
  expect(greedy('function few(context: Context) {\n  context.a(context.b, context.c);\n}\n')).toEqual([]);
});
