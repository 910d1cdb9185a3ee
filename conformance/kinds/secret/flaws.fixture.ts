import { setTimeout as pause } from 'node:timers/promises';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import type { SecretRequest } from '@cleat/protocol/kinds/secret';
import { type Flaw, raceMs } from '../../testing/test-plugin.fixture.js';
import type { HealthySecrets } from './healthy.fixture.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Providers that are broken in one way each: at least one for every case. */
export function secretFlaws(): Flaw<HealthySecrets>[] {
  let count = 0;
  let latest: SecretRequest = {};

  return [
    {
      finds: 'secret/unknown',
      about: 'finds nothing, with success',
      handlers: () => ({ GetSecret: () => ({ Value: null }) }),
    },
    {
      finds: 'secret/no-name',
      about: 'has something for nobody',
      handlers: () => ({ secrets: { '': 'the default' } }),
    },
    {
      finds: 'secret/names-stay-inside',
      about: 'takes names for paths',
      handlers: () => ({ GetSecret: ({ SecretName = '' }) => ({ Value: base64(`what is in ${SecretName}`) }) }),
    },
    { finds: 'secret/unknown-at-once', about: 'talks to one at a time', handlers: oneAtATime },
    {
      finds: 'secret/value',
      about: 'says it in plain text',
      handlers: () => ({ GetSecret: () => ({ Value: 'open sesame' }) }),
    },
    {
      finds: 'secret/few-members',
      about: 'wants to know the task',
      handlers: (healthy) => ({
        GetSecret(request, context) {
          if (request.TaskID === undefined) throw invalidParameter('for which task?');
          return healthy.GetSecret(request, context);
        },
      }),
    },
    {
      finds: 'secret/service',
      about: 'does not know ports',
      handlers: (healthy) => ({
        GetSecret(request, context) {
          if (request.ServiceEndpointSpec) throw invalidParameter('what is a port?');
          return healthy.GetSecret(request, context);
        },
      }),
    },
    {
      finds: 'secret/size',
      about: 'has a long one',
      handlers: () => ({ secrets: { password: 'x'.repeat(600_000) } }),
    },
    {
      finds: 'secret/again-and-at-once',
      about: 'gives a secret once',
      handlers: (healthy) => ({
        GetSecret(request, context) {
          if (++count > 1) throw conflict('it was given away');
          return healthy.GetSecret(request, context);
        },
      }),
    },
    {
      finds: 'secret/unknown-after-known',
      about: 'answers the question that came last',
      handlers: (healthy) => ({
        async GetSecret(request, context) {
          latest = request;
          await pause(10);
          return healthy.GetSecret(latest, context);
        },
      }),
    },
    {
      finds: 'secret/crash',
      about: 'had them in memory',
      handlers: () => (++count > 1 ? { secrets: {} } : {}),
    },
  ];

  /** And has an error without words for others. */
  function oneAtATime(): Partial<HealthySecrets> {
    return {
      async GetSecret() {
        const mine = ++count;
        await pause(raceMs);
        count--;
        throw new Error(mine > 1 ? ' ' : 'there is no such secret');
      },
    };
  }
}
