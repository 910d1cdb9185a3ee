import { setTimeout as pause } from 'node:timers/promises';
import { hookKind } from '@cleat/protocol/kinds/hook';
import { cases } from '../../verify/case.js';
import { answered, made, madeOfAnswer, questions, sameAs, seesAnswers, wishes } from './steps.js';

const largeBytes = 4 * 1024 * 1024 - 1024;

/** Nothing is done: a hook is only asked. */
export const asking = cases(
  hookKind,
  {
    id: 'hook/capabilities',
    title: 'Capabilities say what it wants to see, in words that engines know',
    why: 'A hook whose wishes are not understood is taken for broken: requests are refused.',
    run: async (trial) => void (await wishes(trial)),
  },
  {
    id: 'hook/request',
    title: 'A question about a request is answered with changes that can be made',
    why: 'Engines refuse a request when they cannot do what a hook wants: a path that leads nowhere, a header that frames the message, a denial without a reason.',
    async run(trial) {
      for (const request of await questions(trial)) await made(trial, request);
    },
  },
  {
    id: 'hook/response',
    title: 'A question about an answer is answered with changes that can be made',
    why: 'What was asked for is done by then: a client is told of an error, and has its container all the same.',
    async run(trial) {
      await seesAnswers(trial);
      await madeOfAnswer(trial, answered(201, { Id: 'verify', Warnings: [] }));
      await madeOfAnswer(trial, answered(404, { message: 'No such image: verify' }));
      await madeOfAnswer(trial, answered(200, [{ Id: 'verify' }]));
      await madeOfAnswer(trial, answered(200));
      await madeOfAnswer(trial, answered(204));
    },
  },
  {
    id: 'hook/little-is-there',
    title: 'A request without a body, a query or a known caller is a request, too',
    why: 'Most requests have no body, and one that comes by TCP without TLS comes from nobody known.',
    async run(trial) {
      for (const { Body: _, ...request } of await questions(trial)) {
        const little = { ...request, Query: {}, Headers: {}, Caller: { Method: 'none', User: '' } };
        await made(trial, little);
        await made(trial, { ...little, Body: {} });
      }
    },
  },
  {
    id: 'hook/more-is-there',
    title: 'Members that it does not know do not bother it',
    why: 'A later engine tells more, and its API has routes and fields that nobody knows today.',
    async run(trial) {
      for (const request of await questions(trial)) {
        const Body = { Image: 'busybox', Verify: { New: [1] }, Labels: null };
        const more = { Body, Params: { name: 'ü/%00"', more: '' }, DryRun: true, Weather: 'fine' };
        await made(trial, { ...request, ...more });
      }
    },
  },
  {
    id: 'hook/large-body',
    title: 'A body of 4 MiB is read',
    why: 'So much the engine takes from clients, and shows to hooks. What a hook does not read is refused.',
    async run(trial) {
      const [request] = await questions(trial);
      await made(trial, { ...request, Body: { Image: 'busybox', Env: [`PADDING=${'x'.repeat(largeBytes)}`] } });
    },
  },
  {
    id: 'hook/same-again',
    title: 'The same request gets the same answer',
    why: 'An engine whose connection breaks asks once more; and a client that tries again must not get something else.',
    weight: 'should',
    async run(trial) {
      for (const request of await questions(trial)) {
        const first = sameAs(await made(trial, request));
        const second = sameAs(await made(trial, request));
        trial.holds(second === first, first, undefined, second);
      }
    },
  },
  {
    id: 'hook/at-once',
    title: 'Questions at once are answered as they are alone',
    why: 'Compose creates everything at once. Limits that go to another container leave one without any.',
    async run(trial) {
      const kinds = await questions(trial);
      const alone: string[] = [];
      for (const request of kinds) alone.push(sameAs(await made(trial, request)));
      const many = Array.from({ length: 48 }, (_, n) => n % kinds.length);
      const together = await Promise.all(many.map(async (n) => sameAs(await made(trial, kinds[n] ?? kinds[0]))));
      for (const [at, n] of many.entries()) {
        trial.holds(together[at] === alone[n], `${alone[n]}, as when it is asked alone`, undefined, together[at]);
      }
    },
  },
  {
    id: 'hook/hang-up',
    title: 'Questions that nobody waits for change nothing',
    why: 'A client that gives up takes its question with it.',
    async run(trial) {
      const [request] = await questions(trial);
      const before = sameAs(await made(trial, request));
      await Promise.all(
        [0, 1, 2, 5].map((afterMs) => trial.ask('Request', request, { signal: AbortSignal.timeout(afterMs) })),
      );
      const after = sameAs(await made(trial, request));
      trial.holds(after === before, `${before}, as before`, undefined, after);
    },
  },
  {
    id: 'hook/crash',
    title: 'Killed while it is asked, it answers the next question as before',
    why: 'The engine refuses the request that was not answered, and asks the hook again about the next one.',
    needs: ['changes', 'restart'],
    async run(trial) {
      const [request] = await questions(trial);
      const before = sameAs(await made(trial, request));
      for (const afterMs of [0, 2, 10]) {
        const unanswered = trial.ask('Request', request);
        await pause(afterMs);
        await trial.kill();
        await unanswered;
        await trial.start();
        await wishes(trial);
        const after = sameAs(await made(trial, request));
        trial.holds(after === before, `${before}, as before`, undefined, after);
      }
    },
  },
);
