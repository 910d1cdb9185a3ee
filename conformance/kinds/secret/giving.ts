import { secretKind } from '@cleat/protocol/kinds/secret';
import { cases } from '../../verify/case.js';
import { forContainer, named, refused, valueGiven } from './steps.js';

/** The most that swarm hands to a container. */
const mostBytes = 500 * 1024;

/** These cases only ask: they change nothing. */
export const giving = cases(
  secretKind,
  {
    id: 'secret/unknown',
    title: 'A secret that is not there is an error in words that a person understands',
    why: 'Success without a value is an empty file: the database starts with an empty password.',
    async run(trial) {
      const SecretName = trial.fresh();
      await refused(trial, { SecretName }, 'an error for a secret that is not there');
      await refused(trial, forContainer(trial, { SecretName }), 'an error for a secret that is not there');
    },
  },
  {
    id: 'secret/no-name',
    title: 'A question without a name, or without anything, is refused',
    why: 'Members that are empty are left out, so all may be missing. What a provider has under the name “” is nobody’s secret.',
    async run(trial) {
      await refused(trial, {}, 'an error for a question without a name');
      await refused(trial, { SecretName: '' }, 'an error for a question without a name');
    },
  },
  {
    id: 'secret/names-stay-inside',
    title: 'A name cannot lead out of where secrets are kept',
    why: 'Engines take no such names; what else reaches the socket may. A provider with files would give away /etc/shadow.',
    weight: 'should',
    async run(trial) {
      const up = '../'.repeat(12);
      for (const SecretName of [
        `${up}etc/passwd`,
        '/etc/passwd',
        `x/${up}etc/passwd`,
        '.',
        '..',
        `${up}proc/self/environ`,
      ])
        await refused(trial, { SecretName }, 'an error for a name that is none');
    },
  },
  {
    id: 'secret/unknown-at-once',
    title: 'Questions at once are all answered',
    why: 'All replicas of a service start together, and each asks for each of its secrets.',
    async run(trial) {
      const asked = Array.from({ length: 20 }, () => refused(trial, { SecretName: trial.fresh() }, 'an error'));
      await Promise.all(asked);
    },
  },
  {
    id: 'secret/value',
    title: 'The value of a secret comes in base64',
    why: 'Engines decode it; what is none fails the start of the container, with an error about JSON.',
    run: async (trial) => void (await valueGiven(trial, forContainer(trial, named(trial)), 'the secret')),
  },
  {
    id: 'secret/few-members',
    title: 'A secret is given to a caller that names no service',
    why: 'Swarm, Cleat and their versions know different things of a container. What a provider does not need it must not demand.',
    run: async (trial) => void (await valueGiven(trial, named(trial), 'the secret, no matter who asks')),
  },
  {
    id: 'secret/service',
    title: 'A secret is given for a service with ports',
    why: 'Swarm sends all that it knows of a service.',
    async run(trial) {
      const service = {
        ServiceID: trial.freshId(),
        ServiceLabels: { 'com.example': 'verify' },
        ServiceEndpointSpec: { Mode: 0, Ports: [{ Protocol: 0, TargetPort: 80, PublishedPort: 8080, PublishMode: 1 }] },
      };
      await valueGiven(trial, forContainer(trial, { ...named(trial), ...service }), 'the secret');
    },
  },
  {
    id: 'secret/size',
    title: 'A secret has at most 500 KiB',
    why: 'Swarm refuses larger ones, each time that a container starts.',
    weight: 'should',
    async run(trial) {
      const value = await valueGiven(trial, named(trial), 'the secret');
      const size = Buffer.from(value, 'base64').length;
      trial.holds(size <= mostBytes, 'at most 500 KiB', undefined, `it has ${size} bytes`);
    },
  },
  {
    id: 'secret/again-and-at-once',
    title: 'A secret is given each time, and to many at once',
    why: 'Engines keep no value: they ask at each start of each container.',
    async run(trial) {
      const request = named(trial);
      await valueGiven(trial, request, 'the secret');
      await valueGiven(trial, request, 'the secret, a second time');
      await Promise.all(Array.from({ length: 20 }, () => valueGiven(trial, request, 'the secret, twenty times')));
    },
  },
  {
    id: 'secret/unknown-after-known',
    title: 'A secret that is not there is refused also between others',
    why: 'A provider that answers from the wrong question gives one service the key of another.',
    async run(trial) {
      const request = named(trial);
      const all = Array.from({ length: 20 }, (_, n) =>
        n % 2 === 0
          ? valueGiven(trial, request, 'the secret')
          : refused(trial, { ...request, SecretName: trial.fresh() }, 'an error for a secret that is not there'),
      );
      await Promise.all(all);
    },
  },
  {
    id: 'secret/crash',
    title: 'Killed and started again, it still has its secrets',
    why: 'A container that is started again would not come up: the engine has kept no value.',
    needs: ['changes', 'restart'],
    async run(trial) {
      const request = named(trial);
      await valueGiven(trial, request, 'the secret');
      await trial.restart();
      await valueGiven(trial, request, 'the secret');
      await refused(trial, { SecretName: trial.fresh() }, 'an error for a secret that is not there');
    },
  },
);
