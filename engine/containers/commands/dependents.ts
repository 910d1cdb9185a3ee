import { shared } from '@cleat/protocol/async/shared-signal';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { type Need, needsOf } from '../steps/needs.js';

/** How long extensions that nobody has used since the engine's start may take to say what they are, in ms. */
const askMs = 2_000;

/** For each container that uses an extension of another one of these: those that provide it. */
export async function providersOf(
  context: Context,
  containers: readonly Container[],
): Promise<Map<Container, Container[]>> {
  const needs = new Map<Container, Need[]>();
  for (const container of containers) {
    // One whose needs cannot be told, because a network of it is gone, has no place in the order.
    needs.set(container, await needsOf(context, container).catch(() => []));
  }
  await ask(context, [...needs.values()].flat());
  const byNeed = new Map<string, Container>();
  for (const { name, kinds, provider } of context.extensions.list()) {
    const container = containers.find(({ id }) => id === provider?.id);
    if (container) for (const kind of kinds) byNeed.set(`${kind} ${name}`, container);
  }
  const providers = new Map<Container, Container[]>();
  for (const [container, list] of needs) {
    const found = list.flatMap(({ kind, name }) => byNeed.get(`${kind} ${name}`) ?? []);
    const others = [...new Set(found)].filter((other) => other !== container);
    if (others.length > 0) providers.set(container, others);
  }
  return providers;
}

/** Only one that has answered is known for what it is. */
async function ask(context: Pick<Context, 'extensions'>, needs: readonly Need[]): Promise<void> {
  const signal = shared(AbortSignal.timeout(askMs));
  await Promise.allSettled(
    needs.map(({ kind, name }) => context.extensions.arrival(kind, name, { signal, by: 'the stop of the engine' })),
  );
}

/**
 * For each provider, those who depend on it. Two that depend on each other, if only by way of others, have no order.
 * @param providers what each one depends on
 */
export function withoutCircles<T>(all: readonly T[], providers: ReadonlyMap<T, readonly T[]>): Map<T, T[]> {
  const reaches = (from: T, to: T, seen = new Set<T>()): boolean => {
    if (seen.has(from)) return false;
    seen.add(from);
    return (providers.get(from) ?? []).some((next) => next === to || reaches(next, to, seen));
  };
  return new Map(
    all.map((provider) => [
      provider,
      all.filter((one) => providers.get(one)?.includes(provider) === true && !reaches(provider, one)),
    ]),
  );
}
