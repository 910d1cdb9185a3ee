import { netlabel } from '@cleat/protocol/kinds/network';
import type { Flaw } from '../../testing/test-plugin.fixture.js';
import type { HealthyNetworks } from './healthy.fixture.js';

async function* said(...lines: string[]) {
  for (const line of lines) yield Buffer.from(line);
}

/** Network plugins that are broken at carrying names. */
export const namingFlaws = (): Flaw<HealthyNetworks>[] => [
  {
    finds: 'network/names',
    about: 'tells one endpoint in a line',
    handlers: () => ({ WatchNames: () => said('{"Names":["web"],"Addresses":["10.9.0.2"]}\n') }),
  },
  {
    finds: 'network/names',
    about: 'waits for a change before it says anything',
    handlers: () => ({
      WatchNames: (_, { signal }) =>
        (async function* () {
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
          yield* said();
        })(),
    }),
  },
  {
    finds: 'network/names',
    about: 'tells the whole world in one line',
    handlers: () => ({
      WatchNames: () =>
        said(`{"Endpoints":[${'{"Names":["a"],"Addresses":["10.9.0.2"]},'.repeat(5_000).slice(0, -1)}]}\n`),
    }),
  },
  {
    finds: 'network/names-of-others',
    about: 'tells an engine what it was told by it',
    handlers() {
      const names: unknown[] = [];
      return {
        CreateEndpoint({ Options }) {
          names.push(Options?.[netlabel.endpointNames] ?? []);
          return {};
        },
        WatchNames: () =>
          said(`${JSON.stringify({ Endpoints: names.map((Names) => ({ Names, Addresses: ['10.9.0.2'] })) })}\n`),
      };
    },
  },
  {
    finds: 'network/names-unknown',
    about: 'has no containers on networks that it does not know',
    handlers: () => ({ WatchNames: () => said('{"Endpoints":[]}\n') }),
  },
  {
    finds: 'network/names-hang-up',
    about: 'counts its readers, and forgets none',
    handlers(healthy) {
      let readers = 0;
      return {
        WatchNames(request, context) {
          if (++readers > 10) throw new Error('there are too many readers');
          return healthy.WatchNames(request, context);
        },
      };
    },
  },
  {
    finds: 'network/rename',
    about: 'refuses a name that it has heard before',
    handlers() {
      const known = new Set<string>();
      return {
        RenameEndpoint({ Names }) {
          for (const name of Names) {
            if (known.has(name)) throw new Error(`the name ${name} is taken`);
            known.add(name);
          }
        },
      };
    },
  },
];
