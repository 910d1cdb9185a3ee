import type { Dockerfile } from '../language/dockerfile.js';
import { automaticArguments, globalArguments, type Variables } from '../plan/arguments.js';
import { hostPlatform, parsePlatform } from '../plan/platform.js';
import { type Plan, planBuild } from '../plan/stages.js';
import { checkFile } from './file.js';
import { Findings } from './findings.js';
import { checkBases } from './from.js';
import { checkStage, ignoredBy, type StageOptions, type Walk } from './stage.js';

/** An order as far as a file's meaning depends on it. */
export interface Scope {
  readonly Target?: string;
  readonly Platform?: string;
  readonly BuildArgs?: Readonly<Record<string, string>>;
  readonly Ignore?: readonly string[];
  /** Names of further contexts. */
  readonly contexts: ReadonlySet<string>;
}

/** The variables of an image, and whether it has a shell of its own; undefined for one that is not here. */
export type BaseFacts = (
  reference: string,
  platform: string | undefined,
) => Promise<{ env: readonly string[]; hasShell: boolean } | undefined>;

export const checkArgument = 'BUILDKIT_DOCKERFILE_CHECK';

/** Reads a file as an order means it. @throws DockerfileFault, InvalidParameter */
export function planOf(
  dockerfile: Dockerfile,
  { Target, Platform, BuildArgs = {}, contexts }: Scope,
): { automatic: Variables; globals: Variables; plan: Plan } {
  const target = Platform ? parsePlatform(Platform) : hostPlatform();
  const lastName = dockerfile.stages.at(-1)?.name ?? '';
  const automatic = automaticArguments(hostPlatform(), target, Target || lastName);
  const globals = globalArguments(dockerfile, automatic, BuildArgs);
  return { automatic, globals, plan: planBuild(dockerfile, { globals, contexts, ...(Target && { target: Target }) }) };
}

/** Checks that need nothing but the file. @throws InvalidParameter, DockerfileFault */
export function checkText(dockerfile: Dockerfile, scope: Scope): Findings {
  const findings = new Findings(dockerfile, scope.BuildArgs?.[checkArgument]);
  checkFile(dockerfile, findings);
  return findings;
}

/**
 * All checks, of all stages that the target needs, or of all where there is no target.
 * @throws DockerfileFault, InvalidParameter for a file that cannot be built; what was found before is among the findings
 */
export async function checkAll(
  dockerfile: Dockerfile,
  scope: Scope,
  findings: Findings,
  factsOf: BaseFacts,
): Promise<void> {
  const { automatic, globals, plan } = planOf(dockerfile, scope);
  checkBases(dockerfile, findings, { automatic, globals });
  const options: StageOptions = { buildArgs: scope.BuildArgs ?? {}, globals, ignored: ignoredBy(scope.Ignore) };
  const walks = new Map<number, Walk>();
  for (const planned of plan.stages) {
    if (scope.Target && !plan.needed.includes(planned.index)) continue;
    const { base, platform } = planned;
    let walk: Walk;
    if (base.kind === 'stage') {
      const before = walks.get(base.index);
      walk = before ? copied(before) : walkOf(undefined);
    } else if (base.kind === 'scratch') walk = walkOf({ env: [], hasShell: false });
    else walk = walkOf(base.kind === 'image' ? await factsOf(base.reference, platform) : undefined);
    walks.set(planned.index, walk);
    checkStage(dockerfile, planned.stage, findings, walk, options);
  }
}

const copied = ({ values, args, ...rest }: Walk): Walk => ({ ...rest, values: new Map(values), args: new Set(args) });

function walkOf(facts: { env: readonly string[]; hasShell: boolean } | undefined): Walk {
  const values = new Map([['PATH', '']]);
  for (const variable of facts?.env ?? []) {
    const at = variable.indexOf('=');
    values.set(at < 0 ? variable : variable.slice(0, at), at < 0 ? '' : variable.slice(at + 1));
  }
  return { values, args: new Set(), isKnown: facts !== undefined, hasShell: facts?.hasShell ?? false };
}
