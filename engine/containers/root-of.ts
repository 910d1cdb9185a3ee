import type { RootOf } from '@cleat/linux/rootfs/root';
import { conflict } from '@cleat/protocol/errors';
import type { ContainerRecord } from './state/record.js';

/** What a running container sees as `/`, with its volumes: of the process that it is, not of a number. @throws Conflict */
export function rootOf({ id, state }: ContainerRecord): RootOf {
  const process = state.run?.init;
  if (!process) throw conflict(`container ${id} is not running`);
  return { process };
}
