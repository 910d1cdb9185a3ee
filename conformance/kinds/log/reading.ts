import { setTimeout as pause } from 'node:timers/promises';
import { logKind } from '@cleat/protocol/kinds/log';
import type { LogEntry } from '@cleat/protocol/log-entry';
import { cases, type Need } from '../../verify/case.js';
import { Finding } from '../../verify/finding.js';
import {
  type Container,
  container,
  deadlineOf,
  entryOf,
  isRead,
  type LogTrial,
  linesOf,
  mustRead,
  printed,
  read,
  readsUntil,
  started,
  stopped,
} from './steps.js';
import type { LogStream } from './stream.js';

const needs: readonly Need[] = ['changes', 'filesystem'];
const five = ['one', 'two', 'three', 'four', 'five'];
const shows = (lines: readonly string[]) => (found: readonly string[]) => found.join('\n') === lines.join('\n');

/** Cases about `docker logs` from a driver that says that it can be read. */
export const reading = cases(
  logKind,
  {
    id: 'log/read',
    title: 'ReadLogs gives back what was logged, once and in order',
    why: 'It is all that `docker logs` shows.',
    needs,
    async run(trial) {
      const one = await logged(trial, five);
      await readsUntil(trial, one, shows(five), `the lines ${five.join(', ')}`);
    },
  },
  {
    id: 'log/read-line-feeds',
    title: 'A line that is read back ends with a line feed',
    why: 'An engine shows what it gets; without line feeds all lines are one.',
    needs,
    async run(trial) {
      const one = await logged(trial, five);
      const ends = ({ line }: LogEntry) => Buffer.from(line).toString('utf8').endsWith('\n');
      await readsUntil(
        trial,
        one,
        (lines, entries) => lines.length >= five.length && entries.every(ends),
        'each line with its line feed',
      );
    },
  },
  {
    id: 'log/read-sources',
    title: 'ReadLogs tells stdout from stderr',
    why: '`docker logs x 2>/dev/null` shows what was printed to stdout, and clients colour the two.',
    needs,
    async run(trial) {
      const one = await logged(trial, [entryOf('out'), entryOf('err', { source: 'stderr' })]);
      const sources = (entries: readonly LogEntry[]) => entries.map(({ source }) => source).join(' ');
      await readsUntil(
        trial,
        one,
        (_, entries) => sources(entries) === 'stdout stderr',
        'a line of the source stdout, and one of stderr',
      );
    },
  },
  {
    id: 'log/read-times',
    title: 'ReadLogs gives lines the time at which they were printed',
    why: '`docker logs -t` shows it, and `--since` goes by it.',
    weight: 'should',
    needs,
    async run(trial) {
      const printing = five.map((line) => entryOf(line));
      const one = await logged(trial, printing);
      const times = (entries: readonly LogEntry[]) => entries.map(({ timeNano }) => timeNano / 1_000_000n).join(' ');
      await readsUntil(trial, one, (_, entries) => times(entries) === times(printing), 'the times, to the millisecond');
    },
  },
  {
    id: 'log/read-tail',
    title: 'Tail is the number of last lines that are given, and 0 is none',
    why: '`docker logs --tail 10` of a log of gigabytes is asked for because the whole is too much; dockerd passes on whatever comes.',
    needs,
    async run(trial) {
      const one = await logged(trial, five);
      for (const count of [2, 5, 9, 0]) {
        const last = count === 0 ? [] : five.slice(-count);
        await readsUntil(trial, one, shows(last), `the last ${count} of ${five.length} lines`, { Tail: count });
      }
    },
  },
  {
    id: 'log/read-since',
    title: 'Since leaves out what is older',
    why: '`docker logs --since 1h` reads days otherwise; dockerd drops what is too old by itself, other engines do not.',
    weight: 'should',
    needs,
    async run(trial) {
      const { one, at } = await loggedByMinutes(trial);
      await readsUntil(trial, one, shows(['three', 'four', 'five']), 'the lines since then', { Since: at(2.5) });
    },
  },
  {
    id: 'log/read-until',
    title: 'Until leaves out what is younger',
    why: 'Nobody else does it: `docker logs --until` would show what was not asked for.',
    weight: 'should',
    needs,
    async run(trial) {
      const { one, at } = await loggedByMinutes(trial);
      await readsUntil(trial, one, shows(['one', 'two']), 'the lines until then', { Until: at(2.5) });
    },
  },
  {
    id: 'log/read-while-written',
    title: 'A log can be read while it is written',
    why: 'Most of `docker logs` is asked of containers that run.',
    needs,
    async run(trial) {
      const one = container(trial);
      await mustRead(trial);
      const stream = await started(trial, one);
      await printed(trial, stream, five);
      await readsUntil(trial, one, shows(five), `the lines ${five.join(', ')}`);
      await printed(trial, stream, ['six']);
      await readsUntil(trial, one, shows([...five, 'six']), 'the line that came meanwhile');
      await stopped(trial, stream);
    },
  },
  {
    id: 'log/follow',
    title: 'A reader that follows gets what comes',
    why: '`docker logs -f` would stand still.',
    needs,
    async run(trial) {
      const { stream, followed, until, hangUp } = await following(trial);
      await until(['before'], 'what was printed before');
      await printed(trial, stream, ['meanwhile']);
      await until(['before', 'meanwhile'], 'the line that came meanwhile');
      hangUp();
      await followed;
      await stopped(trial, stream);
    },
  },
  {
    id: 'log/follow-ends',
    title: 'A reader that follows comes to an end when the container stops',
    why: '`docker logs -f` of a container that has ended would hang for ever, and so would a program that waits for it.',
    needs,
    async run(trial) {
      const { stream, followed, until, hangUp } = await following(trial);
      await until(['before'], 'what was printed before');
      await printed(trial, stream, ['the last line']);
      await stopped(trial, stream);
      await until(['before', 'the last line'], 'the last line');
      const over = await followed;
      hangUp();
      trial.holds(over, 'the answer to end with the container', trial.calls.at(-1), 'it goes on');
    },
  },
  {
    id: 'log/follow-hang-up',
    title: 'A reader that hangs up while it follows harms nobody',
    why: 'Ctrl-C is how people leave `docker logs -f`.',
    needs,
    async run(trial) {
      const { one, stream, followed, until, hangUp } = await following(trial);
      await until(['before'], 'what was printed before');
      hangUp();
      await followed;
      await printed(trial, stream, ['after it']);
      await isRead(trial, stream);
      await readsUntil(trial, one, (found) => found.includes('after it'), 'what came after the reader had gone');
      await stopped(trial, stream);
    },
  },
);

async function logged(trial: LogTrial, entries: readonly (string | LogEntry)[]): Promise<Container> {
  await mustRead(trial);
  const one = container(trial);
  const stream = await started(trial, one);
  await printed(trial, stream, entries);
  await stopped(trial, stream);
  return one;
}

/** Five lines, a minute after each other; `at` is a moment after the first, in minutes from 1 on. */
async function loggedByMinutes(trial: LogTrial): Promise<{ one: Container; at: (minute: number) => string }> {
  const begun = Date.now() - 10 * 60_000;
  const millis = (minute: number) => begun + minute * 60_000;
  const entries = five.map((line, n) => entryOf(line, { timeNano: BigInt(millis(n + 1)) * 1_000_000n }));
  const one = await logged(trial, entries);
  // Without this, a driver that has not written anything yet would pass for one that leaves out what it should.
  await readsUntil(trial, one, shows(five), 'all lines, when no time is said');
  return { one, at: (minute) => new Date(millis(minute)).toISOString() };
}

interface Following {
  readonly one: Container;
  readonly stream: LogStream;
  /** Whether the answer came to its end by itself. */
  readonly followed: Promise<boolean>;
  /** @throws Finding unless these lines come */
  until(lines: readonly string[], expected: string): Promise<void>;
  hangUp(): void;
}

/** A container that printed `before`, and a reader that follows it. */
async function following(trial: LogTrial): Promise<Following> {
  await mustRead(trial);
  const one = container(trial);
  const stream = await started(trial, one);
  await printed(trial, stream, ['before']);
  await readsUntil(trial, one, shows(['before']), 'what was printed');
  const stop = new AbortController();
  let lines: string[] = [];
  const onEntries = (entries: readonly LogEntry[]) => {
    lines = linesOf(entries);
  };
  const followed = read(trial, one, { Follow: true }, { signal: stop.signal, onEntries }).then(
    () => !stop.signal.aborted,
    () => false,
  );
  trial.defer(async () => {
    stop.abort();
    await followed;
  });
  return {
    one,
    stream,
    followed,
    hangUp: () => stop.abort(),
    async until(wanted, expected) {
      const end = Date.now() + deadlineOf(trial) / 2;
      for (; !shows(wanted)(lines); await pause(10)) {
        if (Date.now() > end)
          throw new Finding(expected, undefined, `a reader that follows got ${JSON.stringify(lines)}`);
      }
    },
  };
}
