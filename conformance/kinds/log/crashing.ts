import { setTimeout as pause } from 'node:timers/promises';
import { logKind } from '@cleat/protocol/kinds/log';
import { cases, type Need } from '../../verify/case.js';
import {
  container,
  isRead,
  keeps,
  mustRead,
  printed,
  read,
  readsUntil,
  started,
  startOf,
  stopped,
  stoppedAtTheEnd,
  streamFor,
} from './steps.js';

const needs: readonly Need[] = ['changes', 'filesystem', 'restart'];

/** Cases about a plugin after it was killed. */
export const crashing = cases(
  logKind,
  {
    id: 'log/crash-keeps-lines',
    title: 'Killed and started again, it can read what was logged before',
    why: 'Nobody else has it: an engine that may ask the driver keeps no log of its own.',
    needs,
    async run(trial) {
      await mustRead(trial);
      const one = container(trial);
      const stream = await started(trial, one);
      await printed(trial, stream, ['before the crash']);
      await readsUntil(trial, one, (found) => found.includes('before the crash'), 'what was printed');
      await stopped(trial, stream);
      await trial.restart();
      const lines = (await read(trial, one)).map(({ line }) => Buffer.from(line).toString('utf8').trimEnd());
      trial.holds(lines.includes('before the crash'), 'what was printed before the crash');
    },
  },
  {
    id: 'log/crash-start-again',
    title: 'Killed and started again, it takes the containers that run',
    why: 'Cleat tells it of each one again, with the same description; under dockerd it is the container’s next start.',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      await printed(trial, stream, ['before the crash']);
      await keeps(trial, one, ['before the crash'], 'what was printed');
      await trial.restart();
      // As an engine does that cannot know what the plugin still has.
      await trial.ask('StopLogging', { File: stream.path });
      stream.close();
      const next = await started(trial, one);
      await printed(trial, next, ['after the crash']);
      await isRead(trial, next);
      await stopped(trial, next);
      await keeps(trial, one, ['before the crash', 'after the crash'], 'what was printed before and after the crash');
    },
  },
  {
    id: 'log/crash-reads-on',
    title: 'Killed and started again, it reads on from the streams that it had',
    why: 'dockerd does not tell it again: it keeps the stream open, and leaves it to the plugin to come back to it. A container that runs hangs as soon as its pipe is full. (Cleat tells it again.)',
    weight: 'should',
    needs,
    async run(trial) {
      const one = container(trial);
      const stream = await started(trial, one);
      await printed(trial, stream, ['before the crash']);
      await isRead(trial, stream);
      await trial.restart();
      await printed(trial, stream, ['after the crash']);
      await isRead(trial, stream);
      await stopped(trial, stream);
    },
  },
  {
    id: 'log/crash-in-a-start',
    title: 'Killed in the middle of StartLogging, it takes the next one',
    why: 'A half-written list of streams is a plugin that no longer starts, and no container with it.',
    needs,
    async run(trial) {
      const one = container(trial);
      for (const afterMs of [0, 1, 2, 5]) {
        const stream = await streamFor(trial, one);
        stoppedAtTheEnd(trial, stream.path);
        const asked = trial.ask('StartLogging', startOf(one, stream));
        await pause(afterMs);
        await trial.kill();
        await asked;
        await trial.start();
        await trial.ask('StopLogging', { File: stream.path });
        stream.close();
      }
      const stream = await started(trial, one);
      await printed(trial, stream, ['after all that']);
      await isRead(trial, stream);
      await stopped(trial, stream);
      await keeps(trial, one, ['after all that'], 'what was printed then');
    },
  },
);
