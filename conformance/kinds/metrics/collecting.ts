import { setTimeout as pause } from 'node:timers/promises';
import { methodPath } from '@cleat/protocol/kinds/kind';
import { metricsKind } from '@cleat/protocol/kinds/metrics';
import { cases, type Need } from '../../verify/case.js';
import { accepted, sent, started } from './steps.js';

const needs: readonly Need[] = ['changes'];
const crash: readonly Need[] = ['changes', 'restart'];
const expected = (usual: boolean): string => `${usual ? 'success' : 'an error'}, as the first time`;

/** A collector begins to work when it is told to: nothing here is for one in production. */
export const collecting = cases(
  metricsKind,
  {
    id: 'metrics/start',
    title: 'StartMetrics is answered: with success, or with words that a person understands',
    why: 'dockerd enables the plugin only after the answer. A collector that looks for the page first must have an end to it.',
    needs,
    run: async (trial) => void (await started(trial)),
  },
  {
    id: 'metrics/no-body',
    title: 'StartMetrics is taken with a body and without',
    why: 'dockerd sends none, Cleat sends `{}`.',
    needs,
    async run(trial) {
      const usual = await started(trial, '{}');
      trial.holds((await started(trial, '')) === usual, `the same answer without a body: ${expected(usual)}`);
    },
  },
  {
    id: 'metrics/unknown-members',
    title: 'Members that the collector does not know are ignored',
    why: 'Engines add members with their versions: the place of the page is one that is missing today.',
    needs,
    async run(trial) {
      const usual = await started(trial);
      const said = await started(trial, { ComesWithTheNextVersion: { Page: '/run/docker/metrics.sock' } });
      trial.holds(said === usual, expected(usual));
    },
  },
  {
    id: 'metrics/start-again',
    title: 'StartMetrics of a collector that collects succeeds, and changes nothing',
    why: 'Every engine says it after its own start; nobody says StopMetrics for one that was killed.',
    needs,
    async run(trial) {
      const usual = await started(trial);
      for (const _ of ['again', 'and again']) trial.holds((await started(trial)) === usual, expected(usual));
    },
  },
  {
    id: 'metrics/start-at-once',
    title: 'StartMetrics ten times at once is one start',
    why: 'An engine that comes back, and the plugin that came back, make it say so from both ends.',
    needs,
    async run(trial) {
      const usual = await started(trial);
      await sent(trial, 'StopMetrics');
      const all = await Promise.all(Array.from({ length: 10 }, () => started(trial)));
      trial.holds(
        all.every((one) => one === usual),
        expected(usual),
      );
    },
  },
  {
    id: 'metrics/stop',
    title: 'StopMetrics after StartMetrics is answered, and it can be started again',
    why: '`docker plugin disable` and `enable`, or a restart of the engine.',
    needs,
    async run(trial) {
      const usual = await started(trial);
      trial.holds(accepted(trial, 'StopMetrics', await sent(trial, 'StopMetrics')), 'success');
      trial.holds((await started(trial)) === usual, expected(usual));
    },
  },
  {
    id: 'metrics/stop-unstarted',
    title: 'StopMetrics without StartMetrics does no harm',
    why: 'An engine that ends says it to every collector, whether it was started or not.',
    needs,
    async run(trial) {
      const said = await sent(trial, 'StopMetrics');
      trial.holds(said.failure === '', 'an answer: success, or an error', said);
      await started(trial);
    },
  },
  {
    id: 'metrics/stop-again',
    title: 'StopMetrics twice does no harm',
    why: 'An engine that hears no answer asks again.',
    needs,
    async run(trial) {
      const usual = await started(trial);
      for (const _ of ['once', 'again']) {
        const said = await sent(trial, 'StopMetrics');
        trial.holds(said.failure === '', 'an answer: success, or an error', said);
      }
      trial.holds((await started(trial)) === usual, expected(usual));
    },
  },
  {
    id: 'metrics/hang-up',
    title: 'A StartMetrics that is cut off leaves nothing in the way of the next',
    why: 'dockerd hangs up when it is stopped while it starts its plugins.',
    needs,
    async run(trial) {
      const usual = await started(trial);
      await sent(trial, 'StopMetrics');
      for (const afterMs of [0, 1, 5]) {
        const stop = new AbortController();
        const asked = trial.send(methodPath(metricsKind, 'StartMetrics'), '', { signal: stop.signal });
        await pause(afterMs);
        stop.abort();
        await asked;
      }
      trial.holds((await started(trial)) === usual, expected(usual));
    },
  },
  {
    id: 'metrics/crash',
    title: 'Killed while it collects, it is started again',
    why: 'The engine says StartMetrics once it is back. A lock, or a port that is still taken, would be the end of the figures.',
    needs: crash,
    async run(trial) {
      const usual = await started(trial);
      await trial.restart();
      trial.holds((await started(trial)) === usual, expected(usual));
    },
  },
  {
    id: 'metrics/crash-in-a-start',
    title: 'Killed in the middle of StartMetrics, it is started again',
    why: 'What was begun and not finished must not look like a collector that runs.',
    needs: crash,
    async run(trial) {
      const usual = await started(trial);
      for (const afterMs of [0, 1, 2, 5]) {
        await sent(trial, 'StopMetrics');
        const asked = sent(trial, 'StartMetrics');
        await pause(afterMs);
        await trial.kill();
        await asked;
        await trial.start();
      }
      trial.holds((await started(trial)) === usual, expected(usual));
    },
  },
);
