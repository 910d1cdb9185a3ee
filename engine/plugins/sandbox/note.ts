import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isAlive, type ProcessIdentity } from '@cleat/linux/process/identity';
import { decode, parseJson } from '@cleat/protocol/json';
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

export function readNote(path: string): Note | undefined {
  try {
    return decode(Note, parseJson(readFileSync(path, 'utf8')));
  } catch {
    // None, or of an engine that was killed on the way: nothing is known to run then.
    return undefined;
  }
}

export function writeNote(path: string, note: Note): void {
  writeFileSync(`${path}.new`, JSON.stringify(note), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Whether it runs, under a monitor that will tell its end. */
export const runs = ({ init, conmon }: { init: ProcessIdentity; conmon: ProcessIdentity }): boolean =>
  isAlive(init) && isAlive(conmon);
