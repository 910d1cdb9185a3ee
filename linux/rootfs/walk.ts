import { type BigIntStats, fstatSync, lstatSync, readdirSync } from 'node:fs';
import { errnoOf } from '../syscall/errno.js';
import { Descent } from './descent.js';
import { type ByteName, entryAt } from './names.js';

/** One step of a walk. What it names is valid until the next step. */
export interface Step {
  /** A directory comes twice, before and after what is in it. */
  readonly kind: 'entry' | 'before' | 'after';
  /** The open directory that holds the entry; not for `after`. */
  readonly parent: number;
  readonly name: ByteName;
  readonly stats: BigIntStats;
  /** For a directory: its descriptor. */
  readonly fd: number;
  /** Set it at `before` to pass over what is in the directory; `after` comes all the same. */
  skip: boolean;
}

interface Open {
  readonly name: ByteName;
  readonly stats: BigIntStats;
  /** Names to come, the last one first. */
  readonly names: ByteName[];
}

/** Names in an open directory, sorted by their bytes. */
export function namesIn(directoryFd: number): ByteName[] {
  return readdirSync(`/proc/self/fd/${directoryFd}`, { encoding: 'latin1' }).sort() as ByteName[];
}

/** A file that is removed or replaced while a tree is walked is not part of it. */
export function hasVanished(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '');
}

/**
 * Walks what `name` is in an open directory, and everything below, sorted; of any depth, with few open descriptors and
 * without recursion. No symlink is followed; what vanishes meanwhile is left out.
 * @throws ENOENT when there is no `name`
 */
export function* walk(directoryFd: number, name: ByteName): Generator<Step> {
  using descent = new Descent(directoryFd);
  const open: Open[] = [];
  let next: ByteName | undefined = name;
  for (;;) {
    if (next !== undefined) {
      const step = stepTo(descent, next, open.length === 0);
      if (step) {
        yield step;
        if (step.kind === 'before') {
          open.push({ name: next, stats: step.stats, names: step.skip ? [] : namesIn(step.fd).reverse() });
        }
      }
    }
    const directory = open.at(-1);
    if (!directory) return;
    next = directory.names.pop();
    if (next === undefined) {
      yield { ...directory, kind: 'after', parent: -1, fd: descent.fd, skip: false };
      open.pop();
      descent.leave();
    }
  }
}

function stepTo(descent: Descent, name: ByteName, mustBe: boolean): Step | undefined {
  try {
    const parent = descent.fd;
    const stats = lstatSync(entryAt(parent, name), { bigint: true });
    if (!stats.isDirectory()) return { kind: 'entry', parent, name, stats, fd: -1, skip: false };
    const fd = descent.enter(name);
    // It may be another one by now: this is what we are in.
    return { kind: 'before', parent, name, stats: fstatSync(fd, { bigint: true }), fd, skip: false };
  } catch (error) {
    if (!mustBe && hasVanished(error)) return undefined;
    throw error;
  }
}
