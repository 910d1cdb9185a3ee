import { inOrder } from '@cleat/extensions/order';
import { endsWithin } from '@cleat/protocol/async/deadline';
import { messageOf } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { providersOf, withoutCircles } from './dependents.js';
import { stopContainer } from './stop.js';

/** How long extensions in other containers may take to let go of a container that has ended. */
const letGoMs = 15_000;

/**
 * Stops everything that runs, within `timeout` seconds each, unless containers are to outlive the engine. One whose
 * extensions run in other containers stops before those: what they have to be told at its end reaches them.
 */
export async function shutdownContainers(
  context: Context,
  options: { liveRestore: boolean; timeout: number },
): Promise<void> {
  context.stopping = true;
  const running = context.registry.all().filter((container) => container.running);
  const providers = options.liveRestore ? new Map<Container, Container[]>() : await providersOf(context, running);
  for (const container of context.registry.all()) container.restarts.cancel();
  if (options.liveRestore) return;
  const dependents = withoutCircles(running, providers);
  await inOrder(
    running,
    (container) => dependents.get(container) ?? [],
    async (container) => {
      await stop(context, container, options.timeout);
      if (!providers.has(container)) return;
      // Its volumes, networks and log are let go of while those who provide them still run.
      const letGo = Promise.all([container.released?.done, context.spool.delivered(container.id)]);
      if (await endsWithin(letGoMs, letGo)) return;
      context.log.warn('an extension was not told the end of a container in time', { container: container.id });
    },
  );
}

async function stop(context: Context, container: Container, timeout: number): Promise<void> {
  try {
    const own = container.record.config.StopTimeout ?? 10;
    await stopContainer(context, container, { timeout: Math.min(own < 0 ? timeout : own, timeout), ref: container.id });
  } catch (error) {
    context.log.warn('a container could not be stopped', { container: container.id, error: messageOf(error) });
  }
}
