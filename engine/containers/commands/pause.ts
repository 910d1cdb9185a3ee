import { conflict, messageOf, systemError } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { Announcer } from '../state/announce.js';
import type { Container } from '../state/container.js';
import { transition } from '../state/transition.js';
import { onRecord, resume } from '../steps/freeze.js';
import { notRunning, restarting } from '../steps/signal.js';

/** Freezes all its processes. @throws Conflict */
export async function pauseContainer(
  context: Announcer & Pick<Context, 'runtimes'>,
  container: Container,
): Promise<void> {
  const { id, record } = container;
  if (!container.running) throw notRunning(id);
  if (record.state.status === 'paused') throw conflict(`container ${id} is already paused`);
  if (record.state.status === 'restarting') throw restarting(id);
  await container.freezer.run(async () => {
    try {
      // Work that needs it frozen for a moment leaves it so.
      if (container.freezes === 0) await onRecord(container, () => context.runtimes.get(record.runtime).pause(id));
    } catch (error) {
      throw systemError(`cannot pause container ${id}: ${messageOf(error)}`, { cause: error });
    }
    delete record.state.thaw;
    // It may have ended meanwhile.
    if (record.state.status === 'running') transition(context, container, { type: 'paused' });
    else container.note();
  });
}

/** @throws Conflict */
export async function unpauseContainer(
  context: Announcer & Pick<Context, 'runtimes'>,
  container: Container,
): Promise<void> {
  const { id, record } = container;
  if (record.state.status !== 'paused') throw conflict(`Container ${id} is not paused`);
  await container.freezer.run(async () => {
    try {
      if (container.freezes === 0) await onRecord(container, () => context.runtimes.get(record.runtime).resume(id));
      else record.state.thaw = true;
    } catch (error) {
      throw systemError(`cannot resume container ${id}: ${messageOf(error)}`, { cause: error });
    }
    if (record.state.status === 'paused') transition(context, container, { type: 'unpaused' });
    else container.note();
  });
}

/** Takes back a freeze that the engine before was killed in: its caller was not answered. */
export async function settleFreeze(context: Context, container: Container): Promise<void> {
  const { state } = container.record;
  if (!state.thaw) return;
  await resume(context, container);
  delete state.thaw;
  if (state.status === 'paused') transition(context, container, { type: 'unpaused' });
  else container.note();
}
