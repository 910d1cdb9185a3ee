import { setTimeout as pause } from 'node:timers/promises';
import { authzKind } from '@cleat/protocol/kinds/authz';
import { cases } from '../../verify/case.js';
import { Inapplicable } from '../../verify/trial.js';
import { type AuthzTrial, answered, creating, daring, everyday, privileged, question, verdict } from './steps.js';

/** Whether the verdicts agree with each other. */
export const deciding = cases(
  authzKind,
  {
    id: 'authz/same-again',
    title: 'The same question gets the same verdict',
    why: 'Clients repeat requests, engines repeat questions when a connection breaks.',
    async run(trial) {
      for (const asked of [...everyday, ...daring]) {
        const first = await outcome(trial, asked);
        const again = await outcome(trial, asked);
        trial.holds(first === again, `${first}, as before`, undefined, again);
      }
    },
  },
  {
    id: 'authz/at-once',
    title: 'Fifty questions at once each get their own verdict',
    why: 'A dashboard asks the engine for everything at once. A verdict that goes to another question lets through what should not be.',
    async run(trial) {
      const kinds = [...everyday, ...daring];
      const alone = await inTurn(kinds, (asked) => outcome(trial, asked));
      const many = Array.from({ length: 50 }, (_, n) => n % kinds.length);
      const together = await Promise.all(many.map((n) => outcome(trial, kinds[n] ?? privileged)));
      for (const [at, n] of many.entries())
        trial.holds(
          together[at] === alone[n],
          `${alone[n]} for ${kinds[n]?.RequestMethod} ${kinds[n]?.RequestUri}, as when it is asked alone`,
          undefined,
          together[at],
        );
    },
  },
  {
    id: 'authz/hang-up',
    title: 'Questions that nobody waits for change no verdict',
    why: 'A client that gives up takes its question with it.',
    async run(trial) {
      const before = await outcome(trial, privileged);
      const hangingUp = [0, 1, 2, 5].map(async (afterMs) => {
        await trial.ask('AuthZReq', privileged, { signal: AbortSignal.timeout(afterMs) });
      });
      await Promise.all(hangingUp);
      const after = await outcome(trial, privileged);
      trial.holds(after === before, `${before}, as before`, undefined, after);
    },
  },
  {
    id: 'authz/version-prefix',
    title: 'A target with its version and without gets the same verdict',
    why: '`curl` and old clients leave the version out. What is denied with it and allowed without is not denied.',
    weight: 'should',
    async run(trial) {
      for (const asked of [...everyday, ...daring]) {
        const { RequestUri = '' } = asked;
        const usual = await outcome(trial, asked);
        for (const prefix of ['', '/v1.24', '/v1.51']) {
          const other = await outcome(trial, { ...asked, RequestUri: RequestUri.replace(/^\/v1\.41/, prefix) });
          trial.holds(other === usual, `${usual}, as for ${RequestUri}`, undefined, other);
        }
      }
    },
  },
  {
    id: 'authz/target-escapes',
    title: 'A target that is written with escapes gets the verdict of the plain one',
    why: 'dockerd shows the target as it was sent and serves what it means: `/containers/%63reate` makes a container. (Cleat shows the plain one.)',
    weight: 'should',
    async run(trial) {
      const { RequestUri = '' } = privileged;
      await deniesPrivileged(trial);
      for (const uri of [RequestUri.replace('create', '%63reate'), RequestUri.replace('containers', 'container%73')]) {
        const { allow, said } = await verdictOrError(trial, { ...privileged, RequestUri: uri });
        trial.holds(!allow, `a denial, as for ${RequestUri}`, said);
      }
    },
  },
  {
    id: 'authz/body-spellings',
    title: 'A body gets the same verdict in every spelling that an engine reads',
    why: 'dockerd shows bodies as they were sent and reads them in Go’s way: keys in any case, the last of those that are there twice. (Cleat shows what it will do.)',
    weight: 'should',
    async run(trial) {
      await deniesPrivileged(trial);
      for (const body of [
        '{"Image":"busybox","hostconfig":{"privileged":true}}',
        '{"Image":"busybox","HostConfig":{"PRIVILEGED":true}}',
        '{"Image":"busybox","HostConfig":{"\\u0050rivileged":true}}',
        '{"Image":"busybox","HostConfig":{"Privileged":false,"privileged":true}}',
      ]) {
        const { allow, said } = await verdictOrError(trial, creating(body));
        trial.holds(!allow, `a denial, as for {"HostConfig":{"Privileged":true}}; this was ${body}`, said);
      }
    },
  },
  {
    id: 'authz/crash-same-verdict',
    title: 'Killed and started again, it decides as before',
    why: 'A policy that lived in memory is gone: everything is allowed, or nothing.',
    needs: ['changes', 'restart'],
    async run(trial) {
      const kinds = [...everyday, ...daring];
      const before = await inTurn(kinds, (asked) => outcome(trial, asked));
      await trial.restart();
      const after = await inTurn(kinds, (asked) => outcome(trial, asked));
      for (const [n, asked] of kinds.entries())
        trial.holds(
          after[n] === before[n],
          `${before[n]} for ${asked.RequestMethod} ${asked.RequestUri}, as before`,
          undefined,
          after[n],
        );
    },
  },
  {
    id: 'authz/crash-in-a-question',
    title: 'Killed while it is asked, it answers the next question',
    why: 'The engine denies what was not answered, and asks the plugin again with the next request.',
    needs: ['changes', 'restart'],
    async run(trial) {
      for (const afterMs of [0, 1, 2, 5, 10]) {
        const asked = [privileged, question('GET', '/_ping')].map((one) => trial.ask('AuthZReq', one));
        await pause(afterMs);
        await trial.kill();
        await Promise.all(asked);
        await trial.start();
        await verdict(trial, question('GET', '/v1.41/info'));
      }
    },
  },
);

/** The engine's reaction. */
async function outcome(trial: AuthzTrial, asked: Parameters<typeof verdict>[1]): Promise<string> {
  const { allow, said } = await verdictOrError(trial, asked);
  return said.status !== 200 ? 'an error' : allow ? 'allowed' : 'denied';
}

async function verdictOrError(trial: AuthzTrial, asked: Parameters<typeof verdict>[1]) {
  const said = await answered(trial, asked);
  return { allow: trial.succeeded('AuthZReq', said) && trial.read('AuthZReq', said).Allow, said };
}

async function deniesPrivileged(trial: AuthzTrial): Promise<void> {
  const { allow } = await verdict(trial, privileged);
  if (allow) throw new Inapplicable('it denies no privileged containers');
}

async function inTurn<T, R>(list: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const one of list) results.push(await work(one));
  return results;
}
