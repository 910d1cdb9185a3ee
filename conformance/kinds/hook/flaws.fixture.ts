import { setTimeout as pause } from 'node:timers/promises';
import { answering, dropping, dyingOf, spoiltByHangingUp } from '../../testing/http-flaws.fixture.js';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import type { HealthyHook } from './healthy.fixture.js';

/** Hooks that are broken in one way each: at least one for every case. */
export function hookFlaws(): Flaw<HealthyHook>[] {
  let count = 0;
  let latest = '';

  const setting = (Path: string) => ({
    finds: 'hook/request',
    about: `sets ${Path}`,
    handlers: () => ({ Request: () => ({ Set: [{ Path, Value: 'x' }] }) }),
  });

  return [
    {
      finds: 'hook/capabilities',
      about: 'wants to see everything',
      http: answering('Capabilities', '{"Request":"everything"}'),
    },
    {
      finds: 'hook/capabilities',
      about: 'names a route with its version',
      handlers: () => ({
        Capabilities: () => ({ Request: 'body', Match: [{ Routes: ['/v1.41/containers/create'] }] }),
      }),
    },
    setting('Labels.owner'),
    setting('Body.Labels.com.example.'),
    setting('Headers.Content-Length'),
    {
      finds: 'hook/request',
      about: 'denies without a reason',
      handlers: () => ({ Request: () => ({ Deny: { Message: '' } }) }),
    },
    {
      finds: 'hook/request',
      about: 'denies with success',
      handlers: () => ({ Request: () => ({ Deny: { Status: 200, Message: 'no' } }) }),
    },
    {
      finds: 'hook/response',
      about: 'changes the body that an answer does not have',
      handlers: () => ({ Response: () => ({ Set: [{ Path: 'Body.Warnings', Value: [] }] }) }),
    },
    {
      finds: 'hook/little-is-there',
      about: 'wants to know the process of the caller',
      handlers: (healthy) => ({
        Request(message, context) {
          if (!message.Caller.Process) throw new Error('who are you?');
          return healthy.Request(message, context);
        },
      }),
    },
    {
      finds: 'hook/more-is-there',
      about: 'dies of a member that it does not know',
      http: dyingOf((text) => text.includes('"Weather"')),
    },
    { finds: 'hook/large-body', about: 'reads 1 MB', http: dropping((text) => text.length > 1_000_000) },
    {
      finds: 'hook/same-again',
      about: 'counts',
      handlers: () => ({ Request: () => ({ Set: [{ Path: 'Headers.X-Count', Value: `${++count}` }] }) }),
    },
    {
      finds: 'hook/at-once',
      about: 'answers the question that came last',
      handlers: (healthy) => ({
        async Request(message, context) {
          latest = JSON.stringify(message);
          await pause(20);
          return await healthy.Request(JSON.parse(latest), context);
        },
      }),
    },
    {
      finds: 'hook/hang-up',
      about: 'changes nothing once somebody hung up',
      http: spoiltByHangingUp((response) => response.end('{}')),
      handlers: slow,
    },
    {
      finds: 'hook/crash',
      about: 'loses its rules',
      handlers: () => (++count === 1 ? {} : { Request: () => ({}) }),
    },
  ];

  function slow(healthy: HealthyHook): Partial<HealthyHook> {
    return {
      async Request(message, context) {
        await pause(50);
        return await healthy.Request(message, context);
      },
    };
  }
}
