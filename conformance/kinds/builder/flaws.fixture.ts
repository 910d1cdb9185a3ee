import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { conflict } from '@cleat/protocol/errors';
import { answering, dropping, dyingOf } from '../../testing/http-flaws.fixture.js';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import { type HealthyBuilder, line } from './healthy.fixture.js';

/** Builders that are broken in one way each: at least one for every case. */
export function builderFlaws(): Flaw<HealthyBuilder>[] {
  let busy = 0;
  let prunes = 0;

  return [
    {
      finds: 'builder/lines',
      about: 'goes on after its end',
      handlers: () => ({
        async *Build() {
          yield line({ Error: { Message: 'no engine' } });
          yield line({ Vertex: { ID: '1', Name: 'RUN more' } });
        },
      }),
    },
    {
      finds: 'builder/lines',
      about: 'prints what is no JSON',
      handlers: () => ({
        async *Build() {
          yield Buffer.from('Step 1/1 : FROM scratch\n');
        },
      }),
    },
    {
      finds: 'builder/no-engine',
      about: 'has a result where no engine has the image',
      handlers: () => ({
        async *Build() {
          yield line({ Result: { Image: `sha256:${'0'.repeat(64)}` } });
        },
      }),
    },
    {
      finds: 'builder/no-dockerfile',
      about: 'dies of a missing Dockerfile',
      http: dyingOf((text) => text.includes('/missing"')),
    },
    {
      finds: 'builder/context',
      about: 'writes into the context',
      handlers: (healthy) => ({
        Build(request, context) {
          writeFileSync(join(request.Context, 'scratch'), '');
          return healthy.Build(request, context);
        },
      }),
    },
    {
      finds: 'builder/unknown-members',
      about: 'refuses what it does not know',
      http: dropping((text) => text.includes('NextVersion')),
    },
    {
      finds: 'builder/at-once',
      about: 'takes one build at a time, and hangs up on others',
      async http(request, response, answer) {
        if (!request.url?.endsWith('.Build')) return answer(request, response);
        if (busy > 0) return void response.destroy();
        busy++;
        await pause(20);
        await answer(request, response);
        busy--;
      },
    },
    {
      finds: 'builder/hang-up',
      about: 'hangs for ever after a build that nobody waits for',
      http: dyingOfHangUp(),
    },
    {
      finds: 'builder/crash',
      about: 'has a lock that outlives it',
      handlers: (healthy) => ({
        Build(request, context) {
          const lock = join(healthy.root, 'lock');
          if (existsSync(lock) && busy === 0) return stuck();
          writeFileSync(lock, '');
          busy = 1;
          return healthy.Build(request, context);
        },
        [Symbol.dispose]() {
          busy = 0;
        },
      }),
    },
    {
      finds: 'builder/capabilities',
      about: 'builds for words',
      handlers: () => ({ Capabilities: () => ({ Platforms: ['all of them'] }) }),
    },
    {
      finds: 'builder/disk-usage',
      about: 'gives two records one ID',
      handlers: () => ({ DiskUsage: () => ({ Records: [{ ID: 'a' }, { ID: 'a' }] }) }),
    },
    {
      finds: 'builder/prune-again',
      about: 'removes the same for ever',
      handlers: () => ({ Prune: () => ({ Removed: ['a'], SpaceReclaimed: ++prunes }) }),
    },
    { finds: 'builder/prune-filter', about: 'ignores filters', http: answering('Prune', '{}') },
  ];
}

async function* stuck(): AsyncGenerator<Uint8Array> {
  yield line({ Vertex: { ID: '1', Name: 'waiting for the lock' } });
  await pause(600_000, undefined, { ref: false });
  throw conflict('the cache is locked');
}

function dyingOfHangUp(): NonNullable<Flaw<HealthyBuilder>['http']> {
  let isStuck = false;
  return async (request, response, answer) => {
    if (!request.url?.endsWith('.Build')) return answer(request, response);
    response.once('close', () => {
      isStuck ||= !response.writableFinished;
    });
    await pause(10);
    if (!isStuck) await answer(request, response);
  };
}
