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

/** Removes all containers of an engine, between tests. */
export async function removeAll(engine: Engine): Promise<void> {
  const { stdout } = await engine.docker('ps', '-aq');
  const ids = stdout.split('\n').filter(Boolean);
  if (ids.length > 0) await engine.docker('rm', '-fv', ...ids);
}
