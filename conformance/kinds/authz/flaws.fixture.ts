import { setTimeout as pause } from 'node:timers/promises';
import { answering, dropping, dyingOf, spoiltByHangingUp } from '../../testing/http-flaws.fixture.js';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import type { HealthyPolicy } from './healthy.fixture.js';

/** Authorization plugins that are broken in one way each: at least one for every case. */
export function authzFlaws(): Flaw<HealthyPolicy>[] {
  let count = 0;
  let asked = '';

  return [
    { finds: 'authz/request', about: 'says “yes”', http: answering('AuthZReq', '{"Allow":"yes"}') },
    {
      finds: 'authz/response',
      about: 'has no opinion on responses',
      handlers: () => ({
        AuthZRes() {
          throw new Error('not implemented');
        },
      }),
    },
    {
      finds: 'authz/response-alone',
      about: 'wants to have heard the first question',
      handlers: (healthy) => ({
        AuthZReq(request, context) {
          asked = request.RequestUri ?? '';
          return healthy.AuthZReq(request, context);
        },
        AuthZRes({ RequestUri }) {
          if (RequestUri !== asked) throw new Error('what was the question?');
          return { Allow: true };
        },
      }),
    },
    {
      finds: 'authz/allow-said',
      about: 'says nothing for no',
      http: answering('AuthZReq', '{"Msg":"no"}'),
    },
    { finds: 'authz/denials-say-why', about: 'says no', handlers: () => ({ AuthZReq: () => ({ Allow: false }) }) },
    {
      finds: 'authz/no-body',
      about: 'hangs up on who has no body',
      http: dropping((text) => !text.includes('"RequestBody":"')),
    },
    {
      finds: 'authz/body-no-json',
      about: 'dies of a body that is no JSON',
      http: dyingOf((text) => text.includes(Buffer.from('no JSON').toString('base64'))),
    },
    {
      finds: 'authz/large-body',
      about: 'reads 100 KB',
      http: dropping((text) => text.length > 100_000),
    },
    {
      finds: 'authz/large-response',
      about: 'reads 2 MB',
      http: dropping((text) => text.length > 2_000_000),
    },
    {
      finds: 'authz/targets',
      about: 'dies of an escape that is none',
      http: dyingOf((text) => text.includes('%zz')),
    },
    {
      finds: 'authz/methods',
      about: 'knows four methods',
      http: dyingOf((text) => text.includes('PROPFIND')),
    },
    {
      finds: 'authz/users',
      about: 'has an error without words for certificates',
      handlers: (healthy) => ({
        AuthZReq(request, context) {
          if (request.RequestPeerCertificates) throw new Error(' ');
          return healthy.AuthZReq(request, context);
        },
      }),
    },
    {
      finds: 'authz/same-again',
      about: 'allows every other time',
      handlers: () => ({ AuthZReq: () => ({ Allow: ++count % 2 === 0, Msg: 'not now' }) }),
    },
    {
      finds: 'authz/at-once',
      about: 'answers the question that came last',
      handlers: (healthy) => ({
        async AuthZReq(request, context) {
          asked = JSON.stringify(request);
          await pause(20);
          return healthy.AuthZReq(JSON.parse(asked), context);
        },
      }),
    },
    {
      finds: 'authz/hang-up',
      about: 'allows everything once somebody hung up',
      http: spoiltByHangingUp((response) => response.end('{"Allow":true}')),
      handlers: slow,
    },
    {
      finds: 'authz/version-prefix',
      about: 'knows one version',
      handlers: () => ({ target: ({ RequestUri = '' }) => RequestUri.replace(/^\/v1\.41|\?.*/g, '') }),
    },
    {
      finds: 'authz/target-escapes',
      about: 'takes a target as it stands',
      handlers: () => ({ target: ({ RequestUri = '' }) => RequestUri.replace(/^\/v\d+\.\d+|\?.*/g, '') }),
    },
    {
      finds: 'authz/body-spellings',
      about: 'takes a body as it stands',
      handlers: (healthy) => ({
        AuthZReq(request, context) {
          const text = Buffer.from(request.RequestBody ?? '', 'base64').toString();
          if (text.includes('"Privileged":true')) return { Allow: false, Msg: 'nobody may be privileged' };
          return text.toLowerCase().includes('privileged') ? { Allow: true } : healthy.AuthZReq(request, context);
        },
      }),
    },
    {
      finds: 'authz/crash-same-verdict',
      about: 'loses its rules',
      handlers: (healthy) => (++count === 1 ? {} : { AuthZReq: () => ({ Allow: true }), body: healthy.body }),
    },
    {
      finds: 'authz/crash-in-a-question',
      about: 'is busy with a question of before a crash',
      http: spoiltByHangingUp((response) => response.writeHead(500).end('{"Err":"busy"}')),
      handlers: slow,
    },
  ];

  function slow(healthy: HealthyPolicy): Partial<HealthyPolicy> {
    return {
      async AuthZReq(request, context) {
        await pause(50);
        return healthy.AuthZReq(request, context);
      },
    };
  }
}
