import { CleatError, invalidParameter } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import type { Room } from '../room.js';

/** @throws InvalidParameter, Conflict (name in use) */
export async function renameContainer(room: Room, container: Container, wished: string): Promise<void> {
  if (wished === '') throw invalidParameter('Neither old nor new names may be empty');
  const old = container.record.name;
  const bare = wished.replace(/^\//, '');
  if (bare === old) throw invalidParameter('Renaming a container with the same name as its current name');
  let name: string;
  try {
    name = room.registry.reserve(wished, container.id).name;
  } catch (error) {
    // As Docker words it here.
    if (!(error instanceof CleatError)) throw error;
    throw new CleatError(
      error.class,
      `Error when allocating new name: ${error.message.replace(`name (${wished})`, `name (/${bare})`)}`,
      { cause: error },
    );
  }
  room.registry.rename(container, name);
  room.networks.rename(container.id, name);
  room.emit(container, 'rename', { oldName: `/${old}` });
}
