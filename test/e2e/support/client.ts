import { expect } from 'vitest';
import type { Engine } from './engine.js';

/** The stock client with an expectation: `ok` must succeed and gives its trimmed output, `refused` must fail and gives what it said. */
export function clientOf(engine: () => Pick<Engine, 'docker'>): {
  ok: (...args: string[]) => Promise<string>;
  refused: (...args: string[]) => Promise<string>;
} {
  return {
    async ok(...args) {
      const { code, stdout, stderr } = await engine().docker(...args);
      expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
      return stdout.trim();
    },
    async refused(...args) {
      const { code, stderr } = await engine().docker(...args);
      expect({ args, refused: code !== 0 }).toEqual({ args, refused: true });
      return stderr;
    },
  };
}

/** Removes all containers of an engine at once, between tests. An engine that its test has ended has nothing that runs. */
export async function removeAll(engine: Pick<Engine, 'api'>): Promise<void> {
  const answer = await engine.api('GET', '/containers/json?all=1').catch(() => undefined);
  const containers = JSON.parse(answer?.body ?? '[]') as { Id: string }[];
  await Promise.all(containers.map(({ Id }) => engine.api('DELETE', `/containers/${Id}?force=1&v=1`)));
}
