import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));
/** Tests run the sources, never a stale build: `@cleat/room/path` is `room/path.ts`. */
const alias = [
  { find: /^@cleat\/(\w+)$/, replacement: `${root}$1/index.ts` },
  { find: /^@cleat\/(\w+)\/(.+)$/, replacement: `${root}$1/$2.ts` },
];

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: [
            '{protocol,linux,extensions,sdk,engine,api,batteries,cli,examples}/**/*.test.ts',
            'test/unit/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/dist/**'],
          globalSetup: ['test/setup-linux.ts'],
          testTimeout: 30_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: true,
          maxWorkers: 2,
        },
      },
    ],
  },
});
