import { planOf, type Scope } from '../checks/all.js';
import { expanded } from '../checks/from.js';
import type { Dockerfile } from '../language/dockerfile.js';
import type { Instruction } from '../language/instruction.js';
import { readMount } from '../language/run-mounts.js';
import { expand, stageArgument, type Variables } from '../plan/arguments.js';
import { originsOf, type PlannedStage } from '../plan/stages.js';
import { commentOn, type Location, locationOf } from './location.js';
import { table } from './tables.js';

interface Argument {
  readonly name: string;
  readonly description?: string;
  readonly value?: string;
  readonly location: Location;
}

interface Wanted {
  readonly name: string;
  readonly required?: true;
  readonly location: Location;
}

/** All that a client may give to a build of the target (moby/buildkit `frontend/subrequests/outline`). @throws DockerfileFault */
export function outline(dockerfile: Dockerfile, file: string, scope: Scope): { json: object; text: string } {
  const { globals, plan } = planOf(dockerfile, scope);
  const found = new Outline(dockerfile, scope, globals);
  const visit = (planned: PlannedStage, seen: Set<number>): void => {
    if (seen.has(planned.index)) return;
    seen.add(planned.index);
    found.stage(planned);
    for (const origin of originsOf(plan.stages, planned, scope.contexts)) {
      const next = origin.kind === 'stage' ? plan.stages[origin.index] : undefined;
      if (next) visit(next, seen);
    }
  };
  const target = plan.stages[plan.target];
  if (target) visit(target, new Set());
  const { name, line = 0 } = target?.stage ?? {};
  const description = commentOn(name ?? '', dockerfile.writing.get(line)?.comments);
  const byLine = <T extends { location: Location }>(list: Iterable<T>): T[] =>
    [...list].sort((one, other) => lineOf(one) - lineOf(other));
  const [args, secrets, ssh] = [
    byLine(found.args.values()),
    byLine(found.secrets.values()),
    byLine(found.ssh.values()),
  ];
  const json = {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(args.length > 0 && { args }),
    ...(secrets.length > 0 && { secrets }),
    ...(ssh.length > 0 && { ssh }),
    sources: [Buffer.from(file).toString('base64')],
  };
  const head = [
    ['TARGET:', name ?? '(default)'],
    ...(description === undefined ? [] : [['DESCRIPTION:', description]]),
  ];
  const wanted = (title: string, list: readonly Wanted[]): string =>
    list.length === 0
      ? ''
      : `${table([[title, 'REQUIRED'], ...list.map((one) => [one.name, one.required ? 'true' : ''])], 3)}\n`;
  const rows = args.map(({ name, value = '', description = '' }) => [name, value, description]);
  const text = [
    name === undefined && description === undefined ? '' : `${table(head, 1)}\n`,
    args.length === 0 ? '' : `${table([['BUILD ARG', 'VALUE', 'DESCRIPTION'], ...rows], 3)}\n`,
    wanted('SECRET', secrets),
    wanted('SSH', ssh),
  ];
  return { json, text: text.join('') };
}

const lineOf = ({ location }: { location: Location }): number => location.ranges[0]?.start.line ?? 0;

/** Collects; what is found first counts. */
class Outline {
  readonly args = new Map<string, Argument>();
  readonly secrets = new Map<string, Wanted>();
  readonly ssh = new Map<string, Wanted>();
  /** Arguments before the first FROM, with those that their defaults use. */
  readonly #globals = new Map<string, { argument: Argument; uses: ReadonlySet<string> }>();

  constructor(
    readonly dockerfile: Dockerfile,
    readonly scope: Scope,
    readonly values: Variables,
  ) {
    for (const { args, line } of dockerfile.globals) {
      for (const { key, value = '' } of args) {
        const uses = expanded(value, values, { escape: dockerfile.directives.escape }).known;
        this.#globals.set(key, { argument: this.#argument(key, values.get(key), line), uses });
      }
    }
  }

  stage({ stage }: PlannedStage): void {
    const token = this.dockerfile.directives.escape;
    for (const text of [stage.base, stage.platform ?? '']) {
      for (const name of expanded(text, this.values, { escape: token }).known) this.#global(name);
    }
    const values = new Map<string, string>();
    const buildArgs = this.scope.BuildArgs ?? {};
    for (const one of stage.instructions) {
      if (one.name === 'ENV') for (const { key, value } of one.pairs) values.set(key, expand(value, values, token));
      if (one.name === 'RUN') this.#run(one, values);
      if (one.name !== 'ARG') continue;
      for (const declared of one.args) {
        const { key, value: otherwise } = declared;
        const more = { buildArgs, globals: this.values, expand: (text: string) => expand(text, values, token) };
        const value = stageArgument(declared, more);
        if (value !== undefined) values.set(key, value);
        // An ARG without a value of its own is the global one.
        const isGlobal = otherwise === undefined && !Object.hasOwn(buildArgs, key) && this.values.has(key);
        if (isGlobal) this.#global(key);
        else if (!this.args.has(key)) this.args.set(key, this.#argument(key, value, one.line));
      }
    }
  }

  #global(name: string): void {
    const found = this.#globals.get(name);
    if (!found || this.args.has(name)) return;
    this.args.set(name, found.argument);
    for (const used of found.uses) this.#global(used);
  }

  #argument(name: string, value: string | undefined, line: number): Argument {
    const { comments, end = line } = this.dockerfile.writing.get(line) ?? {};
    const description = commentOn(name, comments);
    return {
      name,
      ...(description !== undefined && { description }),
      ...(value && { value }),
      location: locationOf(line, end),
    };
  }

  #run({ mounts, line }: Extract<Instruction, { name: 'RUN' }> & { line: number }, values: Variables): void {
    const token = this.dockerfile.directives.escape;
    const location = locationOf(line, this.dockerfile.writing.get(line)?.end ?? line);
    for (const text of mounts) {
      const mount = readMount(text, (word) => expand(word, values, token));
      const list = mount.type === 'secret' ? this.secrets : mount.type === 'ssh' ? this.ssh : undefined;
      const name = mount.id ?? (mount.type === 'ssh' ? 'default' : mount.target?.split('/').pop()) ?? '';
      if (!list || list.has(name)) continue;
      list.set(name, { name, ...(mount.required && { required: true }), location });
    }
  }
}
