import { setTimeout as pause } from 'node:timers/promises';
import { activatePath } from '@cleat/protocol/dispatch';
import { messageOf } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import { implementsOf } from '../kinds/protocol/cases.js';
import type { Case, CaseFacts } from './case.js';
import { Finding, type Said } from './finding.js';
import { defaultDeadlineMs, type Session, type Settings } from './session.js';
import { Inapplicable } from './trial.js';

/** How a case ended. `warned`: what failed is a `should`. `broken`: the case itself is at fault, or cannot go on. */
export type Outcome = 'passed' | 'failed' | 'warned' | 'skipped' | 'broken';

export interface Result {
  readonly case: CaseFacts;
  /** The kind's capability, for example `VolumeDriver`. */
  readonly kind: string;
  readonly outcome: Outcome;
  /** The finding of a case that failed or warned. */
  readonly finding?: Finding;
  /** Why it was skipped, or is broken. */
  readonly reason?: string;
  readonly calls: readonly Said[];
  readonly ms: number;
  /** Things that the case made and could not clear away. */
  readonly leftBehind: readonly string[];
}

/** Whether a word of a selection means a case: by its ID, by how that begins, or with `*` for any part of it. */
export function means(word: string, id: string): boolean {
  if (!word.includes('*')) return id.startsWith(word);
  const pattern = word.split('*').map((part) => part.replaceAll(/[^\w/-]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`).test(id);
}

/** Whether the author wants a case. */
export function chosen(id: string, { only = [], skip = [] }: Settings): boolean {
  const among = (list: readonly string[]) => list.some((word) => means(word, id));
  return (only.length === 0 || among(only)) && !among(skip);
}

/** Tries one case. */
export async function perform(one: Case, session: Session): Promise<Result> {
  const reason = hindrance(one, session);
  if (reason !== undefined) return skipped(one, reason);
  const begun = performance.now();
  const { calls, leftBehind, thrown } = await one.run(session);
  const facts = { case: one, kind: one.kind.name, calls, leftBehind, ms: Math.round(performance.now() - begun) };
  const end = await endOf(session, calls);
  // A plugin that is gone is the reason for anything else that was found, and every engine is hurt by it.
  if (end !== undefined) return { ...facts, outcome: 'failed', finding: end };
  if (thrown === undefined) return { ...facts, outcome: 'passed' };
  if (thrown instanceof Inapplicable) return { ...facts, outcome: 'skipped', reason: thrown.message };
  if (thrown instanceof Finding) {
    return { ...facts, outcome: one.weight === 'should' ? 'warned' : 'failed', finding: thrown };
  }
  return { ...facts, outcome: 'broken', reason: messageOf(thrown) };
}

/** How long the end of a process may take to show, once it has broken a connection, in ms. */
const endShowsMs = 1_000;

/** The words for a plugin that ended during a case and was not killed for it. */
async function endOf({ control }: Session, calls: readonly Said[]): Promise<Finding | undefined> {
  const broken = calls.find(({ failure }) => failure !== '');
  const how = await control?.ended?.(broken ? endShowsMs : 0);
  if (how === undefined) return undefined;
  const printed = readable(control?.output().trim().slice(-600) ?? '');
  const words = `the plugin ended (${how})${printed === '' ? '' : `: ${printed}`}`;
  return new Finding('the plugin to go on running', broken ?? calls.at(-1), words);
}

/**
 * A plugin that ended after its last case is started again, so that the next one is not blamed.
 * @returns why there is none
 */
export async function comeBack(session: Session): Promise<string | undefined> {
  return (await session.control?.ended?.(0)) === undefined ? undefined : revive(session);
}

/** Why a case cannot be tried, if so. */
function hindrance({ needs = [] }: Case, { settings, control }: Session): string | undefined {
  if (needs.includes('changes') && settings.readOnly) return 'it changes something: not with --read-only';
  if (needs.includes('filesystem') && settings.elsewhere) return 'it looks at files: not with --elsewhere';
  if (needs.includes('host') && settings.elsewhere) return 'it looks at interfaces: not with --elsewhere';
  if (needs.includes('restart') && control === undefined)
    return 'it kills the plugin: say how to start it with --start';
  return undefined;
}

export function skipped(one: Case, reason: string): Result {
  return { case: one, kind: one.kind.name, outcome: 'skipped', reason, calls: [], ms: 0, leftBehind: [] };
}

/** After a failure: the next case is to find a plugin that answers. @returns why there is none */
export async function revive({ wire, control, settings }: Session): Promise<string | undefined> {
  wire.forget();
  const answers = async () => implementsOf(await wire.send(activatePath, '')) !== undefined;
  if (await answers()) return undefined;
  if (control === undefined) return 'the plugin no longer answers';
  await control.kill();
  await control.start();
  for (const end = Date.now() + (settings.deadlineMs ?? defaultDeadlineMs); Date.now() < end; ) {
    if (await answers()) return undefined;
    await pause(50);
  }
  return 'the plugin no longer answers, and does not come back';
}
