import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { logKind } from '@cleat/protocol/kinds/log';
import { makeFifo } from '../../fifo.js';
import { cases, type Need } from '../../verify/case.js';
import { Finding } from '../../verify/finding.js';
import { complaintAbout } from '../../verify/readable-error.js';
import {
  container,
  deadlineOf,
  isRead,
  printed,
  started,
  startOf,
  stopped,
  stoppedAtTheEnd,
  streamFor,
} from './steps.js';

const needs: readonly Need[] = ['changes', 'filesystem'];

/** How StartLogging answers, and what it refuses. */
export const starting = cases(
  logKind,
  {
    id: 'log/start-answers',
    title: 'StartLogging answers although nothing was printed yet',
    why: 'The container starts only after the answer: a program that waits for its first line waits for ever.',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      await stopped(trial, stream);
    },
  },
  {
    id: 'log/start-without-writer',
    title: 'StartLogging does not wait for the other end of its stream to be opened',
    why: 'dockerd and Cleat open it before they ask; another engine may do so after the answer, and then both wait for each other.',
    weight: 'should',
    needs,
    async run(trial) {
      const one = container(trial);
      const path = join(one.directory, 'nobody-writes');
      await makeFifo(path);
      stoppedAtTheEnd(trial, path);
      const stop = new AbortController();
      const asked = trial.ask('StartLogging', startOf(one, { path }), { signal: stop.signal });
      const late = AbortSignal.timeout(deadlineOf(trial) / 2);
      const waited = new Promise<'waited'>((resolve) => late.addEventListener('abort', () => resolve('waited')));
      const said = await Promise.race([asked, waited]);
      // Threads that wait in open() are let go: the next case must not meet them.
      closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
      if (said === 'waited') {
        stop.abort();
        throw new Finding('an answer before anybody writes', await asked, 'it came only once the other end was open');
      }
      trial.read('StartLogging', said, 'an answer before anybody writes');
    },
  },
  {
    id: 'log/start-at-once',
    title: 'Many containers that start at once are all logged',
    why: 'After a boot an engine starts all its containers together.',
    needs,
    async run(trial) {
      const streams = await Promise.all(Array.from({ length: 12 }, () => started(trial, container(trial))));
      await Promise.all(streams.map((stream) => isRead(trial, stream)));
      await Promise.all(streams.map((stream) => stopped(trial, stream)));
    },
  },
  {
    id: 'log/start-same-path',
    title: 'A path that carried a stream before may carry another',
    why: 'dockerd draws a new one each time; Cleat keeps one path for a container, and makes its FIFO anew.',
    weight: 'should',
    needs,
    async run(trial) {
      const one = container(trial);
      const first = await started(trial, one);
      await printed(trial, first, ['first']);
      await stopped(trial, first);
      const again = await streamFor(trial, one, first.path);
      await trial.succeeds('StartLogging', startOf(one, again), 'the new stream to be read');
      await isRead(trial, again);
      await stopped(trial, again);
    },
  },
  {
    id: 'log/start-missing-stream',
    title: 'A stream that is not there does not take the plugin down',
    why: 'A container that ends at once may be gone, with its stream, before the plugin opens it.',
    needs,
    async run(trial) {
      const other = await started(trial, container(trial));
      const gone = container(trial);
      const path = join(gone.directory, 'gone');
      stoppedAtTheEnd(trial, path);
      await trial.ask('StartLogging', startOf(gone, { path }));
      const still = await trial.send('/Plugin.Activate', '');
      trial.holds(still.status === 200, 'the plugin to serve as before', still);
      await isRead(trial, other);
      const alive = await trial.send('/Plugin.Activate', '');
      trial.holds(alive.status === 200, 'the plugin to serve as before', alive);
      await stopped(trial, other);
    },
  },
  {
    id: 'log/start-missing-stream-refused',
    title: 'A stream that is not there is refused in words that a person understands',
    why: 'A container without a log would run, and nobody would know before its log is needed.',
    weight: 'should',
    needs,
    async run(trial) {
      const gone = container(trial);
      const path = join(gone.directory, 'gone');
      stoppedAtTheEnd(trial, path);
      await trial.refuses('StartLogging', startOf(gone, { path }), 'an error for a stream that is not there');
    },
  },
  {
    id: 'log/unknown-option',
    title: 'A log option that the driver does not have is taken, or refused in words that a person understands',
    why: 'It is what the user of `docker run --log-opt` reads, and all that they read.',
    weight: 'should',
    needs,
    async run(trial) {
      const one = container(trial, { 'verify-no-such-option': 'yes' });
      const stream = await streamFor(trial, one);
      stoppedAtTheEnd(trial, stream.path);
      const said = await trial.ask('StartLogging', startOf(one, stream));
      if (trial.succeeded('StartLogging', said)) return;
      const complaint = complaintAbout(logKind, said);
      if (complaint !== undefined) throw new Finding('an error that a person understands', said, complaint);
    },
  },
  {
    id: 'log/refused-starts-nothing',
    title: 'After a start that was refused, another one of the same container is taken',
    why: 'Users correct their mistake, and `docker start` again.',
    needs,
    async run(trial) {
      const one = container(trial);
      const wrong = container(trial, { 'verify-no-such-option': 'yes' });
      const refused = { ...wrong, info: { ...wrong.info, ContainerID: one.info.ContainerID } };
      const stream = await streamFor(trial, refused);
      await trial.ask('StartLogging', startOf(refused, stream));
      await trial.ask('StopLogging', { File: stream.path });
      stream.close();
      const next = await started(trial, one);
      await isRead(trial, next);
      await stopped(trial, next);
    },
  },
  {
    id: 'log/lets-go',
    title: 'A stream that has ended is let go',
    why: 'Each container that ever ran would cost the plugin a file descriptor, until it has no more.',
    weight: 'should',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      await printed(trial, stream, ['a line']);
      await trial.succeeds('StopLogging', { File: stream.path }, 'an answer');
      stream.end();
      const end = Date.now() + deadlineOf(trial) / 2;
      while (stream.hasReader()) {
        trial.holds(Date.now() < end, 'the FIFO to be closed after its end', trial.calls.at(-1), 'it is still open');
        await pause(10);
      }
    },
  },
);
