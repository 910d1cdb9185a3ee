import { conflict, isClass, messageOf, systemError } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { eraseContainer } from '../steps/erase.js';
import { killContainer } from './kill.js';

/** `docker rm`. With `force` it is killed first, and a start under way is stopped. */
export async function removeContainer(
  context: Context,
  container: Container,
  options: { force: boolean; volumes: boolean; ref: string },
): Promise<void> {
  const { state } = container.record;
  if (state.status === 'removing') throw conflict(`removal of container ${options.ref} is already in progress`);
  if (options.force) container.starting?.abort();
  else if (container.starting) throw refusal(options.ref, 'running');
  if (container.running) {
    if (!options.force) throw refusal(options.ref, state.status);
    container.restarts.cancel();
    await killIfRunning(context, container, options.ref);
  }
  await container.lock.run(async () => {
    if (!context.registry.find(container.id)) return;
    if (container.running) {
      // It was started, or restarted by its policy, just before we got the lock.
      throw refusal(options.ref, state.status);
    }
    await eraseContainer(context, container, options);
  });
}

function refusal(ref: string, status: string) {
  const text =
    status === 'paused'
      ? 'container is paused and must be unpaused first'
      : `container is ${status}: stop the container before removing or force remove`;
  return conflict(`cannot remove container "${ref}": ${text}`);
}

async function killIfRunning(context: Context, container: Container, ref: string): Promise<void> {
  try {
    await killContainer(context, container);
  } catch (error) {
    if (isClass(error, 'Conflict') && !container.running) return;
    throw systemError(`cannot remove container "${ref}": could not kill container: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
