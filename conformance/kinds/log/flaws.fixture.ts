import { closeSync, constants, existsSync, mkdirSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { conflict } from '@cleat/protocol/errors';
import { encodeLogEntry } from '@cleat/protocol/log-entry';
import { decodeMessage } from '@cleat/protocol/log-entry-decoder';
import { answering, dyingOf } from '../../testing/http-flaws.fixture.js';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import type { HealthyLogs } from './healthy.fixture.js';
import { Pipe } from './pipe.fixture.js';

/** Log drivers that are broken in one way each: at least one for every case. */
export function logFlaws(): Flaw<HealthyLogs>[] {
  const known = new Set<string>();

  return [
    { finds: 'log/capabilities', about: 'says yes', http: answering('Capabilities', '{"Cap":"yes"}') },
    {
      finds: 'log/capabilities-empty-body',
      about: 'wants an object',
      async http(request, response, answer) {
        if (request.headers['content-length'] === '0' && request.url?.endsWith('Capabilities'))
          response.writeHead(400).end('{"Err":"EOF"}');
        else await answer(request, response);
      },
    },
    {
      finds: 'log/capabilities-shape',
      about: 'goes by the documents',
      http: answering('Capabilities', '{"ReadLogs":true}'),
    },
    {
      finds: 'log/read-declared',
      about: 'promises too much',
      http(request, response, answer) {
        if (!request.url?.endsWith('ReadLogs')) return answer(request, response);
        response.writeHead(404).end('not found');
      },
    },
    {
      finds: 'log/read-unknown',
      about: 'shows whatever it has',
      handlers: () => ({
        async *ReadLogs() {
          yield encodeLogEntry({ source: 'stdout', timeNano: 1n, line: Buffer.from('not yours\n'), partial: false });
        },
      }),
    },
    { finds: 'log/stop-unknown', about: 'dies of what it does not know', http: dyingOf(namingNothing('StopLogging')) },
    {
      finds: 'log/start-answers',
      about: 'waits for the first line',
      handlers: (healthy) => ({
        async StartLogging(request, context) {
          await healthy.StartLogging(request, context);
          while (healthy.entries(request.Info.ContainerID).length === 0 && !context.signal.aborted) await pause(5);
        },
      }),
    },
    {
      finds: 'log/start-without-writer',
      about: 'waits in open()',
      handlers: (healthy) => ({
        async StartLogging(request, context) {
          while (!hasWriter(request.File) && !context.signal.aborted) await pause(5);
          return healthy.StartLogging(request, context);
        },
      }),
    },
    {
      finds: 'log/start-at-once',
      about: 'has room for ten',
      handlers: (healthy) => ({
        StartLogging(request, context) {
          if (Object.keys(healthy.streams).length >= 10) throw conflict('there are ten containers already');
          return healthy.StartLogging(request, context);
        },
      }),
    },
    {
      finds: 'log/start-same-path',
      about: 'takes a path once',
      handlers: (healthy) => ({
        StartLogging(request, context) {
          once(request.File);
          return healthy.StartLogging(request, context);
        },
      }),
    },
    {
      finds: 'log/start-missing-stream',
      about: 'dies of what is not there',
      http: dyingOf(namingNothing('StartLogging')),
    },
    {
      finds: 'log/start-missing-stream-refused',
      about: 'opens it later, or never',
      handlers: (healthy) => ({
        StartLogging: (request, context) => (existsSync(request.File) ? healthy.StartLogging(request, context) : {}),
      }),
    },
    {
      finds: 'log/unknown-option',
      about: 'has a formatting mistake in its error',
      handlers: () => ({
        StartLogging() {
          throw new Error('unknown option%!(EXTRA string=oops)');
        },
      }),
    },
    {
      finds: 'log/refused-starts-nothing',
      about: 'takes a note first, and looks at options then',
      handlers: (healthy) => ({
        StartLogging(request, context) {
          once(request.Info.ContainerID);
          return healthy.StartLogging(request, context);
        },
      }),
    },
    { finds: 'log/lets-go', about: 'keeps what it opened', handlers: () => ({ forget: () => {} }) },
    { finds: 'log/stream', about: 'does not read', handlers: () => ({ StartLogging: () => {} }) },
    {
      finds: 'log/stop-keeps-the-rest',
      about: 'drops what it has not handled when it is told to stop',
      handlers: (healthy) => ({
        async StopLogging(request, context) {
          const id = healthy.streams[request.File] ?? '';
          await healthy.StopLogging(request, context);
          const early = healthy.entries(id).slice(0, 100);
          writeFileSync(healthy.file(id), Buffer.concat(early.map(encodeLogEntry)));
        },
      }),
    },
    {
      finds: 'log/stop-again',
      about: 'stops all when it does not find one',
      handlers: (healthy) => ({
        StopLogging(request, context) {
          if (healthy.streams[request.File] !== undefined) return healthy.StopLogging(request, context);
          for (const path of Object.keys(healthy.streams)) healthy.forget(path);
        },
      }),
    },
    {
      finds: 'log/two-containers',
      about: 'writes all into one file',
      handlers: (healthy) => ({ file: () => join(healthy.root, 'logs', 'all') }),
    },
    {
      finds: 'log/start-again',
      about: 'takes a container once',
      handlers: (healthy) => ({
        StartLogging(request, context) {
          once(request.Info.ContainerID);
          return healthy.StartLogging(request, context);
        },
      }),
    },
    {
      finds: 'log/many-lines',
      about: 'keeps the last thousand',
      handlers: (healthy) => ({ entries: (id) => healthy.entries(id).slice(-1000) }),
    },
    {
      finds: 'log/partial',
      about: 'makes each part a line',
      handlers: (healthy) => ({ kept: (entry) => healthy.kept({ ...entry, partial: false }) }),
    },
    {
      finds: 'log/long-line',
      about: 'has a buffer of 4 KiB',
      handlers: (healthy) => ({ kept: (entry) => healthy.kept({ ...entry, line: entry.line.slice(0, 4096) }) }),
    },
    {
      finds: 'log/longest-entry',
      about: 'ends at a line that is too long for it',
      handlers: (healthy) => ({
        entries(id) {
          const all = healthy.entries(id);
          const end = all.findIndex(({ line }) => line.length > 100_000);
          return end < 0 ? all : all.slice(0, end);
        },
      }),
    },
    {
      finds: 'log/empty-and-strange-lines',
      about: 'ends at an empty line',
      handlers: (healthy) => ({
        entries(id) {
          const all = healthy.entries(id);
          const end = all.findIndex(({ line }) => line.length <= 1);
          return end < 0 ? all : all.slice(0, end);
        },
      }),
    },
    {
      finds: 'log/garbage',
      about: 'stops reading at what it does not understand',
      handlers: () => ({
        open(path) {
          const pipe = new Pipe(
            path,
            (chunk) => {
              if (chunk.includes(Buffer.alloc(16, 0xff))) pipe[Symbol.dispose]();
            },
            () => pipe[Symbol.dispose](),
          );
        },
      }),
    },
    {
      finds: 'log/garbage-passed-over',
      about: 'believes every length',
      handlers: (healthy) => ({
        open(path, id) {
          let held = Buffer.alloc(0);
          const pipe = new Pipe(
            path,
            (chunk) => {
              held = Buffer.concat([held, chunk]);
              for (let end = lengthOf(held); end <= held.length; end = lengthOf(held)) {
                const entry = decodeMessage(held, 4, end);
                const before = healthy.entries(id);
                const now = entry ? [...before, healthy.kept(entry)] : before;
                writeFileSync(healthy.file(id), Buffer.concat(now.map(encodeLogEntry)));
                held = held.subarray(end);
              }
            },
            () => pipe[Symbol.dispose](),
          );
        },
      }),
    },
    {
      finds: 'log/hang-up',
      about: 'takes a container for running until it is told otherwise',
      handlers: (healthy) => ({
        StartLogging(request, context) {
          once(request.Info.ContainerID);
          return healthy.StartLogging(request, context);
        },
      }),
    },
    {
      finds: 'log/crash-keeps-lines',
      about: 'begins anew',
      handlers(healthy) {
        rmSync(join(healthy.root, 'logs'), { recursive: true });
        mkdirSync(join(healthy.root, 'logs'));
        return {};
      },
    },
    {
      finds: 'log/crash-start-again',
      about: 'takes a container back only once',
      handlers: (healthy) => ({
        StartLogging(request, context) {
          once(request.Info.ContainerID);
          return healthy.StartLogging(request, context);
        },
      }),
    },
    {
      finds: 'log/crash-reads-on',
      about: 'has forgotten what it read',
      handlers(healthy) {
        for (const path of Object.keys(healthy.streams)) healthy.forget(path);
        return {};
      },
    },
    {
      finds: 'log/crash-in-a-start',
      about: 'has a lock that outlives it',
      handlers: (healthy) => ({
        async StartLogging(request, context) {
          const lock = join(healthy.root, 'lock');
          if (existsSync(lock)) throw conflict('somebody else is starting a container');
          writeFileSync(lock, '');
          await pause(50, undefined, { signal: context.signal });
          rmSync(lock);
          return healthy.StartLogging(request, context);
        },
      }),
    },
  ];

  /** @throws Conflict the second time */
  function once(what: string): void {
    if (known.has(what)) throw conflict(`${what} is known already`);
    known.add(what);
  }
}

/** A call that names a stream which is not there. */
function namingNothing(method: string) {
  return (text: string, { url }: IncomingMessage): boolean =>
    url?.endsWith(method) === true && !existsSync(/"File":"([^"]*)"/.exec(text)?.[1] ?? '');
}

function hasWriter(path: string): boolean {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readSync(fd, Buffer.alloc(1)) > 0;
  } catch {
    // Nothing to read, but somebody who may write.
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Length of an entry with its head; Infinity for less than a head. */
function lengthOf(bytes: Buffer): number {
  return bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readUInt32BE(0);
}
