import { networkKind } from '@cleat/protocol/kinds/network';
import { cases } from '../../verify/case.js';

const scopes: readonly unknown[] = ['local', 'global'];

/** Cases that are safe for a plugin in production. */
export const looking = cases(
  networkKind,
  {
    id: 'network/scope',
    title: 'GetCapabilities names a Scope, `local` or `global`',
    why: 'dockerd asks once and takes no driver without one; its users read “plugin not found”.',
    async run(trial) {
      const { Scope } = await trial.succeeds('GetCapabilities', {}, 'its capabilities');
      trial.holds(scopes.includes(Scope), 'a Scope, `local` or `global`');
    },
  },
  {
    id: 'network/connectivity-scope',
    title: 'A ConnectivityScope, if it is said, is `local` or `global`',
    why: 'dockerd takes no driver that says anything else; without one it takes the Scope.',
    async run(trial) {
      const { ConnectivityScope = '' } = await trial.succeeds('GetCapabilities', {}, 'its capabilities');
      trial.holds(ConnectivityScope === '' || scopes.includes(ConnectivityScope), '`local`, `global`, or nothing');
    },
  },
  {
    id: 'network/errors-are-readable',
    title: 'An error is one sentence that a person understands',
    why: 'It is what the user of `docker run` reads, and all that they read.',
    async run(trial) {
      const ids = { NetworkID: trial.freshId(), EndpointID: trial.freshId() };
      await trial.doesOrRefuses('EndpointOperInfo', ids);
    },
  },
);
