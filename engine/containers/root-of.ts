import type { RootOf } from '@cleat/linux/rootfs/root';
import { conflict } from '@cleat/protocol/errors';
import type { ContainerRecord } from './state/record.js';

/** The `/` of a running container, with its volumes: that of its process, not of a number. @throws Conflict */
export function rootOf({ id, state }: ContainerRecord): RootOf {
  const process = state.run?.init;
  if (!process) throw conflict(`container ${id} is not running`);
  return { process };
}
