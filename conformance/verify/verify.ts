import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Address } from '@cleat/extensions/carriers/address';
import { activatePath } from '@cleat/protocol/dispatch';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { suites } from '../kinds/index.js';
import { implementsOf, protocolCases } from '../kinds/protocol/cases.js';
import { reach } from '../reach.js';
import type { Case, CaseFacts } from './case.js';
import { CommandControl, type Control } from './control.js';
import { answerText, Finding, type Said } from './finding.js';
import { defaultDeadlineMs, type Session, type Settings } from './session.js';
import { Inapplicable } from './trial.js';
import { Wire } from './wire.js';

export interface VerifyOptions extends Settings {
  /** The shell's command that starts the plugin and stays in front; or another way to kill and start it. */
  start?: string | Control;
  /** Where names are looked up; default: where engines look. */
  directories?: readonly string[];
  /** Told of each case as it ends. */
  onResult?: (result: Result) => void;
}

/** How a case ended. `warned`: what failed is a `should`. `broken`: the case itself is at fault, or cannot go on. */
export type Outcome = 'passed' | 'failed' | 'warned' | 'skipped' | 'broken';

export interface Result {
  readonly case: CaseFacts;
  /** The kind's capability, for example `VolumeDriver`. */
  readonly kind: string;
  readonly outcome: Outcome;
  /** Of a case that failed or warned. */
  readonly finding?: Finding;
  /** Why it was skipped, or is broken. */
  readonly reason?: string;
  readonly calls: readonly Said[];
  readonly ms: number;
  /** What the case made and could not clear away. */
  readonly leftBehind: readonly string[];
}

/** What was found out about a plugin. */
export interface Verdict {
  readonly plugin: string;
  readonly origin: string;
  /** What it says it implements. */
  readonly kinds: readonly string[];
  /** Of these, what nobody here knows how to verify. */
  readonly unknownKinds: readonly string[];
  readonly results: readonly Result[];
  /** No `must` failed, and nothing broke. */
  readonly conformant: boolean;
  readonly ms: number;
}

/**
 * Verifies a plugin through its socket, kind by kind.
 * @param plugin an address, the path of a socket or of a description, or a name
 * @throws Unavailable when it does not answer Plugin.Activate in the protocol's shape; NotFound, InvalidParameter
 */
export async function verify(plugin: string, options: VerifyOptions = {}): Promise<Verdict> {
  const begun = performance.now();
  const reached = await startedAndReached(plugin, options);
  await using _control = reached.control ?? noControl;
  using wire = new Wire(reached.address, options.deadlineMs ?? defaultDeadlineMs);
  let given = 0;
  const session: Session = {
    name: reached.name,
    wire,
    settings: options,
    control: reached.control,
    prefix: `verify-${randomBytes(3).toString('hex')}`,
    next: () => given++,
  };
  const kinds = await activate(session, reached.origin);
  const mine = suites.filter(({ kind }) => kinds.includes(kind.name));
  const list = [...mine.slice(0, 1).flatMap(protocolCases), ...mine.flatMap(({ cases }) => cases)];
  const results: Result[] = [];
  let dead: string | undefined;
  for (const one of list.filter(({ id }) => chosen(id, options))) {
    const result = dead === undefined ? await perform(one, session) : skipped(one, dead);
    results.push(result);
    options.onResult?.(result);
    if (result.outcome === 'failed' || result.outcome === 'broken') dead ??= await revive(session);
  }
  return {
    plugin: reached.name,
    origin: reached.origin,
    kinds,
    unknownKinds: kinds.filter((name) => !suites.some(({ kind }) => kind.name === name)),
    results,
    conformant: results.every(({ outcome }) => outcome !== 'failed' && outcome !== 'broken'),
    ms: Math.round(performance.now() - begun),
  };
}

interface Found {
  name: string;
  origin: string;
  address: () => Address;
  control: Control | undefined;
}

async function startedAndReached(
  plugin: string,
  { start, directories, deadlineMs = defaultDeadlineMs }: VerifyOptions,
): Promise<Found> {
  const control = typeof start === 'string' ? new CommandControl(start) : start;
  try {
    await control?.start();
    for (const end = Date.now() + deadlineMs; ; ) {
      try {
        const { name, origin, address } = reach(plugin, directories);
        return { name, origin, address, control };
      } catch (error) {
        // A name is known only once the plugin has made its socket.
        if (control === undefined || Date.now() > end) throw error;
        await pause(50);
      }
    }
  } catch (error) {
    await control?.[Symbol.asyncDispose]();
    throw error;
  }
}

const noControl: AsyncDisposable = { [Symbol.asyncDispose]: async () => {} };
/** @throws Unavailable */
async function activate({ wire, control, name, settings }: Session, origin: string): Promise<string[]> {
  for (const end = Date.now() + (control ? (settings.deadlineMs ?? defaultDeadlineMs) : 0); ; ) {
    const answer = await wire.send(activatePath, '');
    const kinds = implementsOf(answer);
    if (kinds) return kinds;
    if (Date.now() > end || answer.status !== 0) {
      const said = answerText({ call: activatePath, request: '', ...answer });
      const output = control?.output().trim();
      throw unavailable(
        `${name} (${origin}) does not say what it implements: Plugin.Activate got ${said}${output ? `\nIt printed: ${output}` : ''}`,
      );
    }
    await pause(50);
  }
}

function chosen(id: string, { only = [], skip = [] }: Settings): boolean {
  const among = (list: readonly string[]) => list.some((begin) => id === begin || id.startsWith(begin));
  return (only.length === 0 || among(only)) && !among(skip);
}

async function perform(one: Case, session: Session): Promise<Result> {
  const reason = hindrance(one, session);
  if (reason !== undefined) return skipped(one, reason);
  const begun = performance.now();
  const { calls, leftBehind, thrown } = await one.run(session);
  const facts = { case: one, kind: one.kind.name, calls, leftBehind, ms: Math.round(performance.now() - begun) };
  if (thrown === undefined) return { ...facts, outcome: 'passed' };
  if (thrown instanceof Inapplicable) return { ...facts, outcome: 'skipped', reason: thrown.message };
  if (thrown instanceof Finding) {
    return { ...facts, outcome: one.weight === 'should' ? 'warned' : 'failed', finding: thrown };
  }
  return { ...facts, outcome: 'broken', reason: messageOf(thrown) };
}

/** Why a case cannot be tried, if so. */
function hindrance({ needs = [] }: Case, { settings, control }: Session): string | undefined {
  if (needs.includes('changes') && settings.readOnly) return 'it changes something: not with --read-only';
  if (needs.includes('filesystem') && settings.elsewhere) return 'it looks at files: not with --elsewhere';
  if (needs.includes('restart') && control === undefined)
    return 'it kills the plugin: say how to start it with --start';
  return undefined;
}

function skipped(one: Case, reason: string): Result {
  return { case: one, kind: one.kind.name, outcome: 'skipped', reason, calls: [], ms: 0, leftBehind: [] };
}

/** After a failure: the next case is to find a plugin that answers. @returns why there is none */
async function revive({ wire, control, settings }: Session): Promise<string | undefined> {
  wire.forget();
  const answers = async () => implementsOf(await wire.send(activatePath, '')) !== undefined;
  if (await answers()) return undefined;
  if (control === undefined) return 'the plugin does not answer any more';
  await control.kill();
  await control.start();
  for (const end = Date.now() + (settings.deadlineMs ?? defaultDeadlineMs); Date.now() < end; ) {
    if (await answers()) return undefined;
    await pause(50);
  }
  return 'the plugin does not answer any more, and does not come back';
}
