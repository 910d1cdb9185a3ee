import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../context.js';
import type { Announcer } from '../state/announce.js';
import type { Container } from '../state/container.js';
import { transition } from '../state/transition.js';
import { type Need, needsOf, needText } from './needs.js';
import { Patience } from './patience.js';

/** How often a runtime's binary is looked for. */
const runtimeMs = 1_000;

/** Waits, as long as it takes, until everything that a container needs to start has answered. @throws the signal's reason */
export async function needsArrived(context: Context, container: Container, signal: AbortSignal): Promise<void> {
  for (const need of await needsOf(context, container)) await extensionArrived(context, container, need, signal);
  await runtimeArrived(context, container, signal);
}

async function extensionArrived(context: Context, container: Container, need: Need, signal: AbortSignal) {
  const patience = new Patience((reason) => {
    if (!signal.aborted) tellWaiting(context, container, need, reason);
  });
  try {
    await context.extensions.arrival(need.kind, need.name, {
      signal,
      by: `container ${container.record.name}`,
      onReason: (reason) => patience.hear(reason),
    });
  } finally {
    patience.end();
  }
}

async function runtimeArrived(context: Context, container: Container, signal: AbortSignal): Promise<void> {
  const { runtime } = container.record;
  for (;;) {
    const missing = context.runtimes.missing(runtime);
    if (missing === undefined) return;
    tellWaiting(context, container, { kind: 'runtime', name: runtime }, missing);
    await sleep(runtimeMs, undefined, { signal });
  }
}

/** In the record for `inspect`; once per extension also as an event, and in the engine's log. */
export function tellWaiting(
  context: Announcer & Pick<Context, 'log'>,
  container: Container,
  need: Need,
  reason: string,
): void {
  const { state, name } = container.record;
  const error = `waiting for the ${needText(need)}: ${reason}`;
  if (state.status !== 'restarting' || state.error === error) return;
  transition(context, container, { type: 'start-waiting', error });
  const key = needText(need);
  if (container.restarts.waitingFor === key) return;
  container.restarts.waitingFor = key;
  context.emit(container, 'waiting', { kind: need.kind, extension: need.name });
  context.log.warn('a container waits for an extension', {
    container: container.id,
    name,
    extension: need.name,
    reason,
  });
}
