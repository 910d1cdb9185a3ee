import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/**
 * A callback of a timer, a watcher or a stream has nobody behind it: an error there ends the daemon, or the plugin. In all
 * sources that run in one,
 * - timers are those of `protocol/guard.ts` (or are awaited: `node:timers/promises`),
 * - the listener of `fs.watch` is `guarded(…)`, and it is called in a `try`: where the kernel has no watches left, it throws,
 *   and a watch is only a hint,
 * - a stream is made as an argument of `owned(…)` or `pipeline(…)`,
 * - streams are joined by `pipeline`, never by `a.pipe(b)`, which leaves the errors of `a` alone.
 */
const root = fileURLToPath(new URL('../..', import.meta.url));
const rooms = ['engine', 'linux', 'extensions', 'api', 'cli/cleatd', 'batteries', 'sdk'];

const timers = /(?<![.\w#])(setTimeout|setInterval|setImmediate|queueMicrotask)\(/g;
const makers =
  /(?<![.\w])(?:new (?:PassThrough|Transform|Duplex|Readable|Writable)|Readable\.from|createReadStream|createWriteStream|create(?:Gzip|Gunzip|Inflate|Deflate|BrotliCompress|BrotliDecompress|Unzip)|pack|extract)\(/g;

/** The faults of a source, one line each. */
function complaints(source: string): string[] {
  const code = source
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(?<=^|\s)\/\/.*$/gm, (comment) => ' '.repeat(comment.length));
  const lineOf = (at: number): number => code.slice(0, at).split('\n').length;
  const imported = (from: string): string[] =>
    [...code.matchAll(/import (?:type )?\{([^}]*)\} from '([^']+)'/g)]
      .filter(([, , module]) => module === from)
      .flatMap(([, names = '']) => names.split(','))
      .map((name) => name.trim().replace(/^.* as /, ''));
  const safe = [...imported('@cleat/protocol/guard'), ...imported('node:timers/promises')];
  const found: string[] = [];
  for (const { 1: name = '', index } of code.matchAll(timers)) {
    if (!safe.includes(name)) found.push(`${lineOf(index)}: ${name} is Node's: import it from @cleat/protocol/guard`);
  }
  if (imported('node:fs').includes('watch')) {
    for (const { index } of code.matchAll(/(?<![.\w#])watch\(/g)) {
      if (!argumentsAt(code, code.indexOf('(', index)).includes('guarded(')) {
        found.push(`${lineOf(index)}: the listener of a watcher is not guarded`);
      }
      const block = code.lastIndexOf('{', index);
      if (!/\btry $/.test(code.slice(0, block))) found.push(`${lineOf(index)}: a watcher is made outside of a try`);
    }
  }
  const usesTar = /from 'tar-stream'/.test(code);
  for (const { 0: maker, index } of code.matchAll(makers)) {
    if (/^(pack|extract)/.test(maker) && !usesTar) continue;
    if (!['owned', 'pipeline'].includes(callAround(code, index))) {
      found.push(`${lineOf(index)}: ${maker}…) has no owner: owned(${maker}…))`);
    }
  }
  for (const { index } of code.matchAll(/(?<!\bx)\.pipe\(/g)) found.push(`${lineOf(index)}: use pipeline, not pipe`);
  return found;
}

/** The text of a call's arguments; `open` is where its parenthesis is. */
function argumentsAt(code: string, open: number): string {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === '(') depth++;
    else if (code[at] === ')' && --depth === 0) return code.slice(open + 1, at);
  }
  return '';
}

/** The name of the function among whose arguments `at` lies; '' for none. */
function callAround(code: string, at: number): string {
  let depth = 0;
  for (let index = at - 1; index >= 0; index--) {
    const char = code[index] ?? '';
    if (')]}'.includes(char)) depth++;
    else if ('([{'.includes(char) && depth-- === 0) {
      return char === '(' ? (/([\w.]+)$/.exec(code.slice(0, index))?.[1] ?? '') : '';
    }
  }
  return '';
}

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      return ['node_modules', 'dist', 'testing', 'fixtures'].includes(entry.name) ? [] : sourcesIn(path);
    }
    return /(?<!\.test|\.fixture|\.d)\.ts$/.test(entry.name) ? [path] : [];
  });
}

/** Where streams are joined by `pipe` all the same, and why that is right. */
const pipes: Record<string, string> = {
  'batteries/network-bridge/proxy/tcp.ts': 'two sockets, each with an error listener that ends the other',
};

test('timers, watchers and streams of the daemon have an owner', () => {
  const files = rooms.filter((room) => existsSync(join(root, room))).flatMap(sourcesIn);
  expect(files.length).toBeGreaterThan(300);
  const found = files.flatMap((file) =>
    complaints(readFileSync(join(root, file), 'utf8')).map((complaint) => `${file}:${complaint}`),
  );
  expect(found.filter((complaint) => !/use pipeline/.test(complaint) || !pipes[complaint.split(':')[0] ?? ''])).toEqual(
    [],
  );
  // A file that no longer needs it is taken off the list.
  expect(Object.keys(pipes).filter((file) => !found.some((complaint) => complaint.startsWith(file)))).toEqual([]);
});

describe('the checker itself', () => {
  test.each([
    ['setTimeout(() => look(), 1000);', /^1: setTimeout is Node's/],
    ['const timer = setInterval(look, 5).unref();', /setInterval/],
    ["import { watch } from 'node:fs';\ntry { watch(path, {}, () => look()); }", /^2: the listener of a watcher/],
    ["import { watch } from 'node:fs';\nif (x) { watch(path, {}, guarded(look)); }", /^2: a watcher is made outside/],
    [
      "import { PassThrough } from 'node:stream';\nconst out = new PassThrough();",
      /^2: new PassThrough\(…\) has no owner/,
    ],
    ['const source = owned(x) && Readable.from(chunks);', /Readable\.from/],
    ['return file.pipe(gunzip);', /use pipeline/],
    ["import { pack } from 'tar-stream';\nconst tar = pack();", /pack/],
  ])('%s', (source, complaint) => {
    expect(complaints(source)).toEqual([expect.stringMatching(complaint)]);
  });

  test.each([
    "import { setTimeout } from '@cleat/protocol/guard';\nsetTimeout(look, 1000);",
    "import { setTimeout as sleep } from 'node:timers/promises';\nawait sleep(5);",
    "import { watch } from 'node:fs';\ntry { watch(path, {}, guarded(() => look())); }",
    'socket.setTimeout(5, () => socket.destroy());',
    '// setTimeout(() => {}) is not for us\nconst text = 1;',
    'const out = owned(new PassThrough({ flush: (done) => done() }));',
    'await pipeline(createReadStream(path), createGzip(), createWriteStream(target));',
    "await x.pipe('application/x-tar', tar);",
    'const parts = pack(values);',
  ])('%s', (source) => {
    expect(complaints(source)).toEqual([]);
  });
});
