import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { builderKind } from '@cleat/protocol/kinds/builder';
import { cases, type Need } from '../../verify/case.js';
import { built, contextOf, failureOf, heldBy, linesIn, orderOf } from './steps.js';

const needs: readonly Need[] = ['changes', 'filesystem'];
const crash: readonly Need[] = ['changes', 'filesystem', 'restart'];

/** Builds on an engine that nobody reaches: how a builder speaks, and that it outlives what goes wrong. */
export const building = cases(
  builderKind,
  {
    id: 'builder/lines',
    title: 'Build answers lines of JSON with one member each, and nothing after Result or Error',
    why: 'An engine tells `docker build` what it reads, and ends with the first of these two.',
    needs,
    async run(trial) {
      const said = await built(trial, orderOf(trial, contextOf(trial)));
      if (said.status !== 200) return void failureOf(said);
      const ends = linesIn(said).map(({ Result, Error: failure }) => Result !== undefined || failure !== undefined);
      trial.holds(ends.indexOf(true) === ends.length - 1, 'Result or Error once, as the last line', said);
    },
  },
  {
    id: 'builder/no-engine',
    title: 'A build whose engine does not answer fails in words that a person understands',
    why: 'The engine may be killed at any time. A build that hangs then is in the way of the next.',
    needs,
    run: async (trial) => void failureOf(await built(trial, orderOf(trial, contextOf(trial)))),
  },
  {
    id: 'builder/no-dockerfile',
    title: 'A build without its Dockerfile fails in words that a person understands',
    why: 'They are all that a user of `docker build` sees.',
    needs,
    async run(trial) {
      const order = orderOf(trial, contextOf(trial));
      failureOf(await built(trial, { ...order, Dockerfile: join(order.Context, 'missing') }));
    },
  },
  {
    id: 'builder/context',
    title: 'A build leaves its context as it is',
    why: 'The engine keeps the directory for the next build, of which it is sent only what has changed.',
    needs,
    async run(trial) {
      const context = contextOf(trial);
      const said = await built(trial, orderOf(trial, context));
      trial.holds(heldBy(context.directory) === context.held, 'the context as it was', said, 'other files in it');
    },
  },
  {
    id: 'builder/unknown-members',
    title: 'Members that the builder does not know are ignored',
    why: 'Engines add members with their versions.',
    needs,
    async run(trial) {
      const order = orderOf(trial, contextOf(trial));
      failureOf(await built(trial, { ...order, ComesWithTheNextVersion: { Deep: [1] } }));
    },
  },
  {
    id: 'builder/at-once',
    title: 'Ten builds at once are all answered',
    why: '`docker compose build` and `buildx bake` ask for all of their images at once.',
    needs,
    async run(trial) {
      const order = () => orderOf(trial, contextOf(trial));
      for (const said of await Promise.all(Array.from({ length: 10 }, () => built(trial, order())))) failureOf(said);
    },
  },
  {
    id: 'builder/hang-up',
    title: 'A build that is cancelled leaves nothing in the way of the next',
    why: 'Ctrl-C closes the connection, which is all that a builder hears of it.',
    needs,
    async run(trial) {
      const context = contextOf(trial);
      for (const afterMs of [0, 1, 5]) {
        const stop = new AbortController();
        const asked = built(trial, orderOf(trial, context), { signal: stop.signal });
        await pause(afterMs);
        stop.abort();
        await asked;
      }
      failureOf(await built(trial, orderOf(trial, context)));
    },
  },
  {
    id: 'builder/crash',
    title: 'Killed while it builds, or just after, it builds again',
    why: 'A lock on the cache that outlives its holder would be the end of all builds.',
    needs: crash,
    async run(trial) {
      const context = contextOf(trial);
      // How far it has come within so many milliseconds, nobody knows; the last time it has come to its end.
      for (const afterMs of [0, 2, undefined]) {
        const asked = built(trial, orderOf(trial, context));
        await (afterMs === undefined ? asked : pause(afterMs));
        await trial.kill();
        await asked;
        await trial.start();
      }
      failureOf(await built(trial, orderOf(trial, context)));
    },
  },
);
