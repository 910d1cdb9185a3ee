import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { batteries } from './test/e2e/support/manifest.js';
import { LongestFirst } from './test/longest-first.js';

const root = fileURLToPath(new URL('.', import.meta.url));
/** Tests run the sources, never a stale build: `@cleat/room/path` is `room/path.ts`. */
const alias = [
  { find: /^@cleat\/(\w+)$/, replacement: `${root}$1/index.ts` },
  { find: /^@cleat\/(\w+)\/(.+)$/, replacement: `${root}$1/$2.ts` },
];

/** Waiting is bounded generously: what comes late on a busy machine has come. */
const expectation = { poll: { timeout: 60_000 } };

const files = (...names: string[]): string[] => names.map((name) => `test/e2e/${name}.test.ts`);

/**
 * The things that people do every day, with any extensions behind them. Tests here declare what they need
 * (support/needs.ts).
 */
const daily = files('slide', 'run', 'lifecycle', 'networks', 'survival', 'daily');

/**
 * The files whose outcome may change when a battery is left out: all that people do where a container needs it by default, else the files whose
 * tests name it, and in any case the slide, which needs what everybody does first.
 */
const without: Record<string, string[]> = {
  'network-bridge': files('slide', 'run', 'networks', 'daily'),
  'ipam-default': files('slide', 'networks', 'daily'),
  'log-json-file': files('slide', 'run', 'daily'),
  'volume-local': files('slide', 'run', 'daily'),
  'network-host': files('slide', 'networks'),
  'network-none': files('slide', 'networks'),
};

/** Files at once. Each waits now and then, so two more than processors keep them busy. */
const workers = availableParallelism() + 2;

/**
 * The things that runtimes do, each in its own way: enough for the one that is not the fastest here, and so not the
 * default.
 */
const ofRuntimes = files('run', 'security', 'update', 'error-texts');

/** They replace a module for their whole process, so each has one of its own. */
const mocking = ['cli/cleatd/log.test.ts', 'engine/events/unwritable.test.ts'];
const notOurs = ['**/node_modules/**', '**/dist/**', 'create/templates/**'];

/** Files that follow each other in one process load what they test once. */
function unit(
  name: string,
  which: { include?: string[]; exclude?: string[]; isolate?: boolean },
): TestProjectConfiguration {
  return {
    resolve: { alias },
    test: {
      name,
      include: [
        '{protocol,linux,extensions,sdk,conformance,create,engine,api,batteries,cli,bench,examples}/**/*.test.ts',
        'test/unit/**/*.test.ts',
      ],
      ...which,
      globalSetup: which.isolate === false ? ['test/setup-linux.ts'] : [],
      setupFiles: ['test/setup-warnings.ts'],
      maxWorkers: workers,
      expect: expectation,
      testTimeout: 180_000,
      hookTimeout: 180_000,
    },
  };
}

/**
 * @param batteries as test/e2e/support/batteries.ts knows them.
 * @param runtime the engines' default; empty: the fastest that works here
 */
function endToEnd(
  name: string,
  include: string[],
  batteries = 'in-process',
  runtime = process.env.CLEAT_E2E_RUNTIME ?? '',
): TestProjectConfiguration {
  return {
    resolve: { alias },
    test: {
      name,
      include,
      env: { CLEAT_E2E_BATTERIES: batteries, CLEAT_E2E_RUNTIME: runtime },
      expect: expectation,
      testTimeout: 300_000,
      hookTimeout: 300_000,
      // As in unit tests: a process for each file loads the same again, and takes half a second of a processor.
      isolate: false,
      maxWorkers: workers,
    },
  };
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      unit('unit', { exclude: [...notOurs, ...mocking], isolate: false }),
      unit('unit-mocking', { include: mocking }),
      endToEnd('e2e', ['test/e2e/**/*.test.ts']),
      // The same tests with the batteries elsewhere: what runs in process must run as a process, or be replaced.
      endToEnd('e2e-process', [...daily, ...files('log-drivers')], 'process'),
      // As plugins they have the same code as as processes: what differs is who starts them, and how they come back.
      endToEnd('e2e-plugin', files('slide', 'survival', 'daily'), 'plugin'),
      endToEnd('e2e-tmpfs', files('slide', 'daily'), 'tmpfs'),
      endToEnd('e2e-runc', ofRuntimes, 'in-process', 'runc'),
      // And with each left out in turn: what needs it says so, all else goes on.
      ...batteries.map((name) => endToEnd(`e2e-without-${name}`, without[name] ?? files('slide'), `without-${name}`)),
      endToEnd('chaos', ['test/chaos/**/*.test.ts']),
    ],
  },
});
