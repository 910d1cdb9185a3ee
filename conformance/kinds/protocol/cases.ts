import { setTimeout as pause } from 'node:timers/promises';
import { activatePath } from '@cleat/protocol/dispatch';
import { type Kind, methodPath } from '@cleat/protocol/kinds/kind';
import { type Case, cases } from '../../verify/case.js';
import { Finding, type Said } from '../../verify/finding.js';
import type { Suite } from '../../verify/suite.js';
import type { Trial } from '../../verify/trial.js';

/** Cases for every plugin of any kind; tried with a harmless call of its first kind. */
export function protocolCases({ kind, harmless }: Suite): Case[] {
  const path = methodPath(kind, harmless.method);
  const call = (trial: Trial<Kind>, manner = {}) => trial.send(path, harmless.request, manner);
  /** Any answer will do, but the same each time. */
  const answers = async (trial: Trial<Kind>, expected: string, manner = {}): Promise<Said> => {
    const usual = await call(trial);
    const said = await call(trial, manner);
    const same = said.failure === '' && (said.status === 200) === (usual.status === 200);
    if (!same) throw new Finding(expected, said);
    return said;
  };
  return cases(
    kind,
    {
      id: 'protocol/activate-again',
      title: 'Plugin.Activate answers the same each time',
      why: 'Every engine on the host asks, each after its own start, and again when the socket was replaced.',
      async run(trial) {
        const implemented = async (): Promise<string> => {
          const said = await trial.send(activatePath, '');
          const list = implementsOf(said);
          if (list === undefined) throw new Finding('a JSON object with `Implements`, a list of names', said);
          return list.join(', ');
        };
        const first = await implemented();
        const second = await implemented();
        trial.holds(first === second, `${first}, as before`);
      },
    },
    {
      id: 'protocol/activate-media-type',
      title: 'Answers say that they are the plugin protocol’s JSON',
      why: 'dockerd does not look at it; proxies, recorders and clients in other languages do.',
      weight: 'should',
      async run(trial) {
        const { contentType } = await trial.send(activatePath, '');
        const fits = /^application\/(vnd\.docker\.plugins\.v1(\.\d+)?\+)?json\b/.test(contentType);
        trial.holds(
          fits,
          'the Content-Type application/vnd.docker.plugins.v1.2+json',
          undefined,
          `it is '${contentType}'`,
        );
      },
    },
    {
      id: 'protocol/no-content-type',
      title: 'A request without a Content-Type is read',
      why: 'dockerd sends none. Frameworks that read a body only when they are told that it is JSON see an empty one.',
      run: async (trial) => void (await answers(trial, 'the same answer without a Content-Type')),
    },
    {
      id: 'protocol/unknown-method',
      title: 'A method that is not there is no success',
      why: 'Engines ask for methods that came later (Capabilities, ProgramExternalConnectivity) and take 404 for “I have none”. A success would be believed.',
      async run(trial) {
        const said = await trial.send(methodPath(kind, 'NoSuchMethod'), {});
        trial.holds(said.failure === '' && said.status !== 200, 'an error, best of all status 404', said);
      },
    },
    {
      id: 'protocol/unknown-method-404',
      title: 'A method that is not there is answered with status 404, not with another error',
      why: 'Only 404 tells an engine that a method is missing; of every other status it tells its user.',
      weight: 'should',
      async run(trial) {
        const said = await trial.send(methodPath(kind, 'NoSuchMethod'), {});
        trial.holds(said.status === 404, 'status 404', said);
      },
    },
    {
      id: 'protocol/unknown-members',
      title: 'Members that the plugin does not know are ignored',
      why: 'Engines add members with their versions. A plugin that refuses them ends with the next upgrade.',
      async run(trial) {
        const usual = await call(trial);
        const request = { ...(harmless.request as object), ComesWithTheNextVersion: { Yes: [true, null, 1] } };
        const said = await trial.send(path, request);
        trial.holds(said.failure === '' && (said.status === 200) === (usual.status === 200), 'the same answer', said);
      },
    },
    {
      id: 'protocol/malformed',
      title: 'A body that is no JSON is refused, and the plugin lives on',
      why: 'A plugin that dies of it takes every mount, network or log with it that it was there for.',
      async run(trial) {
        for (const text of ['{"Name": ', '[]', 'null', '"text"', '\u0000\u0001', '{"Name":{"a":1}}']) {
          const said = await trial.send(path, text);
          trial.holds(said.failure === '', 'an answer, whatever it is', said);
        }
        await answers(trial, 'it to serve as before');
      },
    },
    {
      id: 'protocol/slow-request',
      title: 'A request that comes in pieces is read to its end',
      why: 'A busy host, or TCP, delivers what an engine writes at once in parts.',
      run: async (trial) =>
        void (await answers(trial, 'the same answer as for a request in one piece', {
          pieces: { bytes: Math.ceil(JSON.stringify(harmless.request).length / 4), pauseMs: 25 },
        })),
    },
    {
      id: 'protocol/hang-up',
      title: 'A caller that hangs up harms nobody else',
      why: 'dockerd hangs up when its client does, when its deadline passes, and when it is killed.',
      async run(trial) {
        const before = await call(trial);
        const hangingUp = [0, 1, 2, 5, 10].map(async (ms) => {
          const stop = new AbortController();
          const asked = call(trial, { signal: stop.signal, pieces: { bytes: 5, pauseMs: 1 } });
          await pause(ms);
          stop.abort();
          await asked;
        });
        await Promise.all(hangingUp);
        const after = await call(trial);
        trial.holds(after.status === before.status, `status ${before.status}, as before`, after);
      },
    },
    {
      id: 'protocol/at-once',
      title: 'Twenty calls at once are all answered',
      why: 'An engine asks for each of its containers by itself: after a boot, for all of them at once.',
      async run(trial) {
        const usual = await call(trial);
        const all = await Promise.all(Array.from({ length: 20 }, () => call(trial)));
        for (const said of all)
          trial.holds(said.status === usual.status, `status ${usual.status}, as when it is alone`, said);
      },
    },
    {
      id: 'protocol/slow-neighbour',
      title: 'A call is answered while another one is still being sent',
      why: 'One slow or hung caller must not hold up every other one: `docker ps` hung for whole installations.',
      async run(trial) {
        const usual = await call(trial);
        const stop = new AbortController();
        let gaveUp = false;
        // Says that there is more to come, and leaves it at that.
        const manner = { signal: stop.signal, pieces: { bytes: 1, pauseMs: 1_000 } };
        const slow = trial.send(path, `${' '.repeat(64)}{}`, manner).then(() => {
          gaveUp = true;
        });
        await pause(100);
        const said = await call(trial);
        const meanwhile = !gaveUp;
        stop.abort();
        await slow;
        trial.holds(meanwhile && said.status === usual.status, 'an answer meanwhile', said);
      },
    },
    {
      id: 'protocol/get',
      title: 'A GET does not take the plugin down',
      why: 'Monitoring, browsers and people with curl send one.',
      async run(trial) {
        const said = await trial.send('/', '', { verb: 'GET' });
        trial.holds(said.failure === '', 'an answer, whatever it is', said);
        await answers(trial, 'it to serve as before');
      },
    },
    {
      id: 'protocol/starts-again',
      title: 'Killed and started again, it serves at once',
      why: 'A crash leaves the socket file behind; a plugin that finds it “in use” stays down until somebody deletes it.',
      needs: ['changes', 'restart'],
      async run(trial) {
        await trial.restart();
        await answers(trial, 'it to serve as before');
      },
    },
  );
}

/** The kinds that an answer to Plugin.Activate lists; undefined when it is not the protocol's. */
export function implementsOf({ status, text }: Pick<Said, 'status' | 'text'>): string[] | undefined {
  if (status !== 200) return undefined;
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null) return undefined;
    const list: unknown = Object.entries(body).findLast(([key]) => key.toLowerCase() === 'implements')?.[1];
    return Array.isArray(list) && list.every((name) => typeof name === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}
