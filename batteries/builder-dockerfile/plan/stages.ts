import { invalidParameter } from '@cleat/protocol/errors';
import type { Dockerfile } from '../language/dockerfile.js';
import { atLine, DockerfileFault, didYouMean, fault } from '../language/fault.js';
import type { Instruction, Stage } from '../language/instruction.js';
import { mountOrigin } from '../language/run-mounts.js';
import { expand, type Variables } from './arguments.js';

/** Where files or a base come from. */
export type Origin =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'context'; readonly name: string }
  | { readonly kind: 'image'; readonly reference: string };

export interface PlannedStage {
  readonly index: number;
  readonly stage: Stage;
  /** Its name for people: `build`, or `stage-0`. */
  readonly label: string;
  readonly base: Origin;
  /** As FROM has it, with variables replaced. */
  readonly baseName: string;
  /** As `--platform` has it, with variables replaced. */
  readonly platform?: string;
}

export interface Plan {
  readonly stages: readonly PlannedStage[];
  /** Index of the stage that is the result. */
  readonly target: number;
  /** Those that the target needs as the file says, in its order, the target among them. */
  readonly needed: readonly number[];
}

export interface PlanOptions {
  readonly globals: Variables;
  readonly target?: string;
  /** Names of further contexts. */
  readonly contexts: ReadonlySet<string>;
}

/** Which stages there are, what each stands on, and which the target needs. @throws DockerfileFault, InvalidParameter */
export function planBuild(dockerfile: Dockerfile, options: PlanOptions): Plan {
  const stages: PlannedStage[] = [];
  for (const [index, stage] of dockerfile.stages.entries()) {
    stages.push(atLine(stage.line, () => plannedStage(dockerfile, stages, index, stage, options)));
  }
  const target = targetOf(stages, options.target ?? '');
  const needed = new Set<number>();
  const visit = (index: number) => {
    if (needed.has(index)) return;
    needed.add(index);
    const planned = stages[index];
    if (!planned) return;
    for (const origin of originsOf(stages, planned, options.contexts)) if (origin.kind === 'stage') visit(origin.index);
  };
  visit(target);
  return { stages, target, needed: [...needed].sort((a, b) => a - b) };
}

function plannedStage(
  { directives }: Dockerfile,
  before: readonly PlannedStage[],
  index: number,
  stage: Stage,
  { globals, contexts }: PlanOptions,
): PlannedStage {
  const label = stage.name ?? `stage-${index}`;
  const baseName = expand(stage.base, globals, directives.escape);
  if (baseName === '') throw fault(`base name (${stage.base}) should not be blank`);
  const platform = stage.platform && expand(stage.platform, globals, directives.escape);
  if (platform === '') throw fault(`empty platform value from expression ${stage.platform}`);
  const planned = { index, stage, label, baseName, ...(platform !== undefined && { platform }) };
  // A context of the stage's name stands for the whole of it.
  if (stage.name !== undefined && contexts.has(stage.name)) {
    return { ...planned, stage: { ...stage, instructions: [] }, base: { kind: 'context', name: stage.name } };
  }
  const earlier = before.findLast((one) => one.stage.name === baseName.toLowerCase());
  if (earlier) return { ...planned, base: { kind: 'stage', index: earlier.index } };
  return { ...planned, base: baseName === 'scratch' ? { kind: 'scratch' } : outside(baseName, contexts) };
}

/** A further context, or an image. */
function outside(name: string, contexts: ReadonlySet<string>): Origin {
  const context = contextNames(name).find((one) => contexts.has(one));
  return context === undefined ? { kind: 'image', reference: name } : { kind: 'context', name: context };
}

/** Names under which a context may stand for an image: `alpine`, `alpine:latest`, `docker.io/library/alpine:latest`. */
function contextNames(name: string): string[] {
  const tagged = /[:@][^/]*$/.test(name) ? name : `${name}:latest`;
  const [first = ''] = name.split('/');
  const hasHost = name.includes('/') && /[.:]|^localhost$/.test(first);
  const full = (text: string) => {
    if (hasHost) return text;
    return `docker.io/${name.includes('/') ? '' : 'library/'}${text}`;
  };
  const bare = name.replace(/:latest$/, '');
  return [name, name.toLowerCase(), tagged, full(tagged), full(name), bare];
}

/**
 * The origin that `--from` names: a stage by its name or number, a further context, or an image.
 * @throws DockerfileFault for a stage that comes later, or a number that none has
 */
export function originOf(
  stages: readonly PlannedStage[],
  from: string,
  here: PlannedStage,
  contexts: ReadonlySet<string>,
  verb: 'copy' | 'mount',
): Origin {
  if (verb === 'copy' && from !== expand(from, new Map(), '\\')) {
    throw fault(
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
    );
  }
  const isNumber = verb === 'copy' && /^\d+$/.test(from);
  const found = isNumber ? stages[Number(from)] : stages.findLast((one) => one.stage.name === from.toLowerCase());
  if (isNumber && !found) throw fault(`invalid stage index ${from}`);
  if (found && found.index >= here.index) {
    throw fault(
      verb === 'copy'
        ? `cannot copy from stage ${JSON.stringify(from)}, it needs to be defined before current stage ${JSON.stringify(here.label)}`
        : `cannot mount from stage ${JSON.stringify(from)}, stage needs to be defined before current command`,
    );
  }
  if (found) return { kind: 'stage', index: found.index };
  return from === 'scratch' ? { kind: 'scratch' } : outside(from, contexts);
}

/** Everything that a stage needs as far as the file says: triggers of its base come to that. */
export function originsOf(
  stages: readonly PlannedStage[],
  planned: PlannedStage,
  contexts: ReadonlySet<string>,
): Origin[] {
  return [
    planned.base,
    ...planned.stage.instructions.flatMap((one) => instructionOrigins(stages, planned, one, contexts)),
  ];
}

export function instructionOrigins(
  stages: readonly PlannedStage[],
  here: PlannedStage,
  instruction: Instruction,
  contexts: ReadonlySet<string>,
): Origin[] {
  return atLine(instruction.line, () => {
    if (instruction.name === 'COPY') {
      return instruction.from === undefined ? [] : [originOf(stages, instruction.from, here, contexts, 'copy')];
    }
    if (instruction.name !== 'RUN') return [];
    const froms = instruction.mounts.map(mountOrigin);
    return froms.flatMap((from) => (from ? [originOf(stages, from, here, contexts, 'mount')] : []));
  });
}

function targetOf(stages: readonly PlannedStage[], target: string): number {
  const last = stages.length - 1;
  if (target === '') return last;
  const found = stages.findLast((one) => one.stage.name === target.toLowerCase());
  if (found) return found.index;
  if (/^\d+$/.test(target)) {
    if (Number(target) <= last) return Number(target);
    throw invalidParameter(`invalid stage index ${target}`);
  }
  const names = stages.map(({ label }) => label);
  throw new DockerfileFault(`target stage ${JSON.stringify(target)} could not be found${didYouMean(target, names)}`);
}
