import { CleatError, invalidParameter } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';

/** @throws InvalidParameter, Conflict (name in use) */
export async function renameContainer(
  context: Pick<Context, 'emit' | 'events' | 'networks' | 'registry'>,
  container: Container,
  requested: string,
): Promise<void> {
  if (requested === '') throw invalidParameter('Neither old nor new names may be empty');
  const old = container.record.name;
  const bare = requested.replace(/^\//, '');
  if (bare === old) throw invalidParameter('Renaming a container with the same name as its current name');
  let name: string;
  try {
    name = context.registry.reserve(requested, container.id).name;
  } catch (error) {
    // As Docker words it here.
    if (!(error instanceof CleatError)) throw error;
    throw new CleatError(
      error.class,
      `Error when allocating new name: ${error.message.replace(`name (${requested})`, `name (/${bare})`)}`,
      { cause: error },
    );
  }
  const { id, record } = container;
  context.events.together(() => {
    context.emit({ id, record: { ...record, name } }, 'rename', { oldName: `/${old}` });
    context.registry.rename(container, name);
  });
  await context.networks.rename(id, name);
}
