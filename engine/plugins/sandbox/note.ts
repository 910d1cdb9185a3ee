import { readNoted } from '@cleat/extensions/supervisor/note';
import { isAlive, type ProcessIdentity } from '@cleat/linux/process/identity';
import Type, { type Static } from '@cleat/protocol/schema';

const Identity = Type.Object({ pid: Type.Integer(), startTime: Type.String(), bootId: Type.String() });

/** The note of an engine by which the next one finds the plugin that runs. */
const Note = Type.Object({
  init: Identity,
  conmon: Identity,
  /** The digest of everything that it was started with; another one means that it must be replaced. */
  fingerprint: Type.String(),
  runtime: Type.String(),
  cgroup: Type.String(),
});
export type Note = Static<typeof Note>;

export const readNote = (path: string): Note | undefined => readNoted(Note, path);

/** Whether it runs, under a monitor that will tell its end. */
export const runs = ({ init, conmon }: { init: ProcessIdentity; conmon: ProcessIdentity }): boolean =>
  isAlive(init) && isAlive(conmon);
