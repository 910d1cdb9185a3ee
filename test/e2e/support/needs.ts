import { test } from 'vitest';
import { leftOut } from './batteries.js';
import { clearEngines } from './engine.js';
import { batteries } from './manifest.js';
import { isMissed } from './missed.js';

/** Batteries that commands need when they name no other extension. */
export const uses = {
  /** `docker create IMAGE`: what it will print has a place to go to. */
  log: ['log-json-file'],
  /** `docker network create`, and being on such a network. */
  network: ['network-bridge', 'ipam-default'],
  /** `docker run IMAGE`. */
  container: ['network-bridge', 'ipam-default', 'log-json-file'],
  /** `docker run --network host IMAGE` */
  hostNetwork: ['network-host', 'log-json-file'],
  /** `docker run --network none IMAGE` */
  noNetwork: ['network-none', 'log-json-file'],
  /** `docker run -v NAME:/path`, besides the container */
  volume: ['volume-local'],
} satisfies Record<string, readonly string[]>;

/**
 * Tests that need batteries. Where one of them is left out, such a test passes when it ends with the error that says
 * so, and with no other. A test without needs is to pass whatever is left out.
 *
 *     const test = testNeeding(uses.container);
 *     testNeeding(uses.container, uses.volume)('named volumes', …)
 */
export function testNeeding(...needs: readonly (readonly string[])[]): (name: string, body: Body) => void {
  const needed = needs.flat();
  const unknown = needed.filter((name) => !batteries.includes(name));
  if (unknown.length > 0) throw new Error(`no battery is called ${unknown.join(', ')}`);
  const missed = needed.find((name) => name === leftOut);
  return (name, body) => {
    if (missed === undefined) test(name, body);
    else test(`${name} (and says that ${missed} is missing)`, () => endsWithMissed(missed, body));
  };
}

type Body = () => Promise<void>;

async function endsWithMissed(battery: string, body: Body): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!isMissed(error)) throw error;
    // It ended in the middle: the next test on the same engine must not see what it had made.
    await clearEngines();
    return;
  }
  throw new Error(`it does not need ${battery} at all, or the engine does not say that it is missing`);
}
