import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { conflict } from '@cleat/protocol/errors';
import { answering, dropping, dyingOf } from '../../testing/http-flaws.fixture.js';
import { type Flaw, raceMs } from '../../testing/test-plugin.fixture.js';
import type { HealthyCollector } from './healthy.fixture.js';

/** Collectors that are broken in one way each: at least one for every case. */
export function metricsFlaws(): Flaw<HealthyCollector>[] {
  let busy = 0;
  let starts = 0;

  return [
    { finds: 'metrics/start', about: 'has an error without words', http: answering('StartMetrics', '{"Err":{}}') },
    {
      finds: 'metrics/no-body',
      about: 'needs a body',
      http: dropping((text, { url }) => text === '' && url?.endsWith('StartMetrics') === true),
    },
    {
      finds: 'metrics/unknown-members',
      about: 'refuses what it does not know',
      http: dropping((text) => text.includes('NextVersion')),
    },
    {
      finds: 'metrics/start-again',
      about: 'is collecting already',
      handlers: (healthy) => ({
        StartMetrics(request, context) {
          if (healthy.collects) throw conflict('metrics are collected already');
          return healthy.StartMetrics(request, context);
        },
      }),
    },
    {
      finds: 'metrics/start-at-once',
      about: 'takes one start at a time',
      handlers: (healthy) => ({
        async StartMetrics(request, context) {
          if (busy > 0) throw conflict('it is being started');
          busy++;
          await pause(raceMs);
          busy--;
          return healthy.StartMetrics(request, context);
        },
      }),
    },
    {
      finds: 'metrics/stop',
      about: 'starts once',
      handlers: (healthy) => ({
        StartMetrics(request, context) {
          if (++starts > 1) throw conflict('what was stopped stays so');
          return healthy.StartMetrics(request, context);
        },
      }),
    },
    {
      finds: 'metrics/stop-unstarted',
      about: 'dies of an end without a beginning',
      http: dyingOf((_, { url }) => url?.endsWith('StopMetrics') === true),
    },
    { finds: 'metrics/stop-again', about: 'dies of its second end', http: dyingOfTheSecondStop() },
    {
      finds: 'metrics/hang-up',
      about: 'is for ever busy with a start that nobody waits for',
      handlers: (healthy) => ({
        async StartMetrics(request, context) {
          if (busy > 0) throw conflict('it is being started');
          busy++;
          await pause(50, undefined, { signal: context.signal });
          busy--;
          return healthy.StartMetrics(request, context);
        },
      }),
    },
    {
      finds: 'metrics/crash',
      about: 'has a lock that outlives it',
      handlers: (healthy) => ({
        StartMetrics() {
          const lock = join(healthy.root, 'lock');
          if (existsSync(lock) && !healthy.collects) throw conflict('somebody else collects metrics');
          writeFileSync(lock, '');
          healthy.collects = true;
        },
        StopMetrics() {
          rmSync(join(healthy.root, 'lock'), { force: true });
        },
      }),
    },
    {
      finds: 'metrics/crash-in-a-start',
      about: 'has a lock for its start that outlives it',
      handlers: (healthy) => ({
        async StartMetrics(_request, { signal }) {
          const lock = join(healthy.root, 'lock');
          if (existsSync(lock)) throw conflict('it is being started');
          writeFileSync(lock, '');
          await pause(50, undefined, { signal });
          rmSync(lock);
        },
      }),
    },
  ];
}

function dyingOfTheSecondStop() {
  let stops = 0;
  return dyingOf((_, { url }) => url?.endsWith('StopMetrics') === true && ++stops === 2);
}
