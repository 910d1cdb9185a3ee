import { logKind } from '@cleat/protocol/kinds/log';
import { encodeLogEntry } from '@cleat/protocol/log-entry';
import { cases, type Need } from '../../verify/case.js';
import { container, entryOf, isRead, keeps, keepsJoined, keepsNone, printed, started, stopped } from './steps.js';

const needs: readonly Need[] = ['changes', 'filesystem'];
const lines = (name: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${name} ${n}`);

/** Cases about the contents of the stream, and its end. */
export const streaming = cases(
  logKind,
  {
    id: 'log/stream',
    title: 'The stream of a container is read from StartLogging on',
    why: 'A stream that nobody reads fills its pipe (64 KiB); then the container hangs in its next line.',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      await printed(trial, stream, ['first line', 'second line']);
      await isRead(trial, stream);
      await keeps(trial, one, ['first line', 'second line'], 'what was printed to be read back');
      await stopped(trial, stream);
    },
  },
  {
    id: 'log/stop-keeps-the-rest',
    title: 'What lies in the stream when StopLogging comes is read before it is let go',
    why: 'dockerd says StopLogging as soon as it has written the last line. What is lost then are the last words of a container that crashed, and all of `docker run busybox echo oops`.',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      const printing = lines('last words', 300);
      await printed(trial, stream, printing);
      await stopped(trial, stream);
      await keeps(trial, one, printing, 'every line that was written before StopLogging');
    },
  },
  {
    id: 'log/stop-again',
    title: 'StopLogging twice harms no other stream',
    why: 'An engine that hears no answer asks again.',
    needs,
    async run(trial) {
      const [one, other] = [container(trial), container(trial)];
      const [stream, another] = [await started(trial, one), await started(trial, other)];
      await stopped(trial, stream);
      await trial.answers('StopLogging', { File: stream.path });
      await isRead(trial, another);
      await stopped(trial, another);
    },
  },
  {
    id: 'log/two-containers',
    title: 'Containers at once each have their own log',
    why: 'Every container of the host has one. Mixed logs show the secrets of one to the readers of the other.',
    needs,
    async run(trial) {
      const all = Array.from({ length: 5 }, () => container(trial));
      const streams = await Promise.all(all.map((one) => started(trial, one)));
      for (let round = 0; round < 20; round++) {
        await Promise.all(streams.map((stream, n) => printed(trial, stream, [`container ${n} line ${round}`])));
      }
      // Another case is about what a driver loses at StopLogging.
      await Promise.all(streams.map((stream) => isRead(trial, stream)));
      await Promise.all(streams.map((stream) => stopped(trial, stream)));
      for (const [n, one] of all.entries()) {
        const own = lines(`container ${n} line`, 20);
        await keeps(trial, one, own, 'the lines of this container');
        await keepsNone(trial, one, /^container \d+ line/, own, 'no lines of other containers');
      }
    },
  },
  {
    id: 'log/start-again',
    title: 'A container that was stopped and starts again goes on with its log',
    why: '`docker restart` gives another stream with the same description. A driver that knows the container already must neither refuse nor begin anew.',
    needs,
    async run(trial) {
      const one = container(trial);
      for (const run of ['first', 'second', 'third']) {
        const stream = await started(trial, one);
        await printed(trial, stream, [`${run} run`]);
        await isRead(trial, stream);
        await stopped(trial, stream);
      }
      await keeps(trial, one, ['first run', 'second run', 'third run'], 'what all three runs printed');
    },
  },
  {
    id: 'log/many-lines',
    title: 'Ten thousand lines pass, and none is lost',
    why: 'A driver that handles a line at a time, or waits for a server, is the brake of every container that prints.',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      const printing = lines('a line such as programs print, number', 10_000);
      await printed(trial, stream, printing);
      await stopped(trial, stream);
      await keeps(trial, one, printing, 'all ten thousand, in order');
    },
  },
  {
    id: 'log/partial',
    title: 'A long line that comes in parts is read',
    why: 'dockerd cuts lines at 16 KiB and marks the parts. A log with the parts as lines of their own breaks programs that parse JSON.',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      const id = trial.freshId();
      const part = (line: string, ordinal: number, last: boolean) =>
        entryOf(line, { partial: !last, partialLogMetadata: { id, ordinal, last } });
      await printed(trial, stream, [
        part('one ', 1, false),
        part('two ', 2, false),
        part('three', 3, true),
        'after it',
      ]);
      await isRead(trial, stream);
      await stopped(trial, stream);
      await keepsJoined(trial, one, ['one two three', 'after it'], 'the line as one, and the next one by itself');
    },
  },
  {
    id: 'log/long-line',
    title: 'A line of 16 KiB is read whole',
    why: 'It is the longest that dockerd sends in one piece; buffers of 4 KiB end there, and lose their place in the stream.',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      const long = 'x'.repeat(16 * 1024);
      await printed(trial, stream, [long, 'after it']);
      await isRead(trial, stream);
      await stopped(trial, stream);
      await keeps(trial, one, [long, 'after it'], 'both lines, whole');
    },
  },
  {
    id: 'log/longest-entry',
    title: 'An entry of nearly a million bytes is read',
    why: 'Docker’s own readers take so much (10^6 bytes), so an engine may send it.',
    weight: 'should',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      await printed(trial, stream, ['x'.repeat(999_000), 'after it']);
      await isRead(trial, stream);
      await stopped(trial, stream);
      await keeps(trial, one, ['after it'], 'the line that came after it');
    },
  },
  {
    id: 'log/empty-and-strange-lines',
    title: 'Empty lines, and lines that are no text, are read',
    why: 'Containers print what they like: colours, images, half of a character.',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      const strange = ['', Uint8Array.of(0xff, 0x00, 0x1b, 0x5b), '\u001b[31mred', '{"Err":"no"}'].map((line) =>
        entryOf(line),
      );
      await printed(trial, stream, [...strange, entryOf('from stderr', { source: 'stderr' }), 'after it']);
      await isRead(trial, stream);
      await stopped(trial, stream);
      await keeps(trial, one, ['{"Err":"no"}', 'from stderr', 'after it'], 'the lines that are text, in order');
    },
  },
  {
    id: 'log/garbage',
    title: 'Bytes that are no entry do not end the reading',
    why: 'An engine that is killed in the middle of a write leaves half an entry. A driver that gives up, or dies, freezes every container that it has.',
    needs,
    async run(trial) {
      const [one, other] = [container(trial), container(trial)];
      const [stream, another] = [await started(trial, one), await started(trial, other)];
      await printed(trial, stream, ['before it']);
      await printed(trial, stream, Buffer.alloc(256, 0xff));
      await isRead(trial, stream);
      await isRead(trial, another);
      await stopped(trial, stream);
      await stopped(trial, another);
    },
  },
  {
    id: 'log/garbage-passed-over',
    title: 'After bytes that are no entry, entries are found again',
    why: 'The rest of the container’s log would be lost, for as long as it runs.',
    weight: 'should',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      // Half an entry, as it is left by an engine that was killed, then what the next engine writes.
      await printed(trial, stream, encodeLogEntry(entryOf('never to be seen whole')).subarray(0, 20));
      const printing = lines('after it', 50);
      await printed(trial, stream, printing);
      await stopped(trial, stream);
      await keeps(trial, one, printing.slice(-10), 'the lines that came later');
    },
  },
  {
    id: 'log/hang-up',
    title: 'A stream that ends without StopLogging harms no other one',
    why: 'So it is when an engine is killed: all its streams end, and the next engine makes new ones for the same containers.',
    needs,
    async run(trial) {
      const [one, other] = [container(trial), container(trial)];
      const [stream, another] = [await started(trial, one), await started(trial, other)];
      await printed(trial, stream, ['before the engine died']);
      await isRead(trial, stream);
      stream.close();
      const next = await started(trial, one);
      await printed(trial, next, ['under the next engine']);
      await isRead(trial, next);
      await isRead(trial, another);
      await stopped(trial, next);
      await stopped(trial, another);
      await keeps(trial, one, ['before the engine died', 'under the next engine'], 'what was printed under both');
    },
  },
);
