import { cancelled, invalidParameter } from '@cleat/protocol/errors';
import { suites } from '../kinds/index.js';
import { protocolCases } from '../kinds/protocol/cases.js';
import type { Case } from './case.js';
import { type OpenOptions, open } from './opening.js';
import { chosen, comeBack, means, perform, type Result, revive, skipped } from './perform.js';
import type { Settings } from './session.js';

export interface VerifyOptions extends OpenOptions {
  /** Told of each case as it ends. */
  onResult?: (result: Result) => void;
  /** Aborted, the case under way is the last: it clears away what it made. */
  signal?: AbortSignal;
}

/** The result for a plugin. */
export interface Verdict {
  readonly plugin: string;
  readonly origin: string;
  /** The kinds that it says it implements. */
  readonly kinds: readonly string[];
  /** Those of them that have no suite. */
  readonly unknownKinds: readonly string[];
  readonly results: readonly Result[];
  /** No `must` failed, and nothing broke. */
  readonly conformant: boolean;
  readonly ms: number;
}

/**
 * Verifies a plugin through its socket, kind by kind.
 * @param plugin an address, the path of a socket or of a description, or a name
 * @throws Unavailable when it does not answer Plugin.Activate in the protocol's shape; NotFound, InvalidParameter;
 * Cancelled when the signal was aborted
 */
export async function verify(plugin: string, options: VerifyOptions = {}): Promise<Verdict> {
  checkSelection(options);
  const begun = performance.now();
  await using opened = await open(plugin, options);
  const { session, origin, kinds } = opened;
  const results: Result[] = [];
  const cases = casesOf(kinds, options);
  if (cases.length === 0) throw invalidParameter(whyNone(kinds, options));
  let dead: string | undefined;
  for (const one of cases) {
    if (options.signal?.aborted) throw cancelled('it was interrupted; what was made for it is cleared away');
    dead ??= await comeBack(session);
    const result = dead === undefined ? await perform(one, session) : skipped(one, dead);
    results.push(result);
    options.onResult?.(result);
    if (result.outcome === 'failed' || result.outcome === 'broken') dead ??= await revive(session);
  }
  return {
    plugin: session.name,
    origin,
    kinds,
    unknownKinds: kinds.filter((name) => !suites.some(({ kind }) => kind.name === name)),
    results,
    conformant: results.every(({ outcome }) => outcome !== 'failed' && outcome !== 'broken'),
    ms: Math.round(performance.now() - begun),
  };
}

/** Why there is no case for a plugin. A verdict without one would say that all is well. */
function whyNone(kinds: readonly string[], { only, skip }: Settings): string {
  const of = kinds.join(', ');
  if (!kinds.some((name) => suites.some(({ kind }) => kind.name === name))) {
    return `what a plugin of ${of || 'no kind'} is to do is not known here: it cannot be verified`;
  }
  return only === undefined
    ? `--skip ${skip?.join(',')} leaves no case for a plugin of ${of}`
    : `--only ${only.join(',')} chooses no case for a plugin of ${of}`;
}

/** Every case that there is and that is chosen, as `--list` shows them. @throws InvalidParameter when that is none */
export function allCases(settings: Settings = {}): Case[] {
  checkSelection(settings);
  const all = [...suites.slice(0, 1).flatMap(protocolCases), ...suites.flatMap(({ cases }) => cases)];
  const listed = all.filter(({ id }) => chosen(id, settings));
  if (listed.length === 0) throw invalidParameter('--only and --skip leave no case');
  return listed;
}

/** @throws InvalidParameter for a word that chooses nothing, which is a slip of the pen */
export function checkSelection({ only = [], skip = [] }: Settings): void {
  if (only.length + skip.length === 0) return;
  const ids = allCases().map(({ id }) => id);
  for (const [flag, words] of [
    ['--only', only],
    ['--skip', skip],
  ] as const) {
    const strange = words.find((word) => !ids.some((id) => means(word, id)));
    if (strange !== undefined) throw invalidParameter(`${flag} ${strange}: no case begins so; --list shows them`);
  }
}

/** The cases for a plugin of these kinds, in order: what every plugin owes is tried with the first. */
export function casesOf(kinds: readonly string[], settings: Settings): Case[] {
  const mine = suites.filter(({ kind }) => kinds.includes(kind.name));
  const all = [...mine.slice(0, 1).flatMap(protocolCases), ...mine.flatMap(({ cases }) => cases)];
  return all.filter(({ id }) => chosen(id, settings));
}
