import { type BaseFacts, checkAll, checkText, type Scope } from '../checks/all.js';
import type { Findings } from '../checks/findings.js';
import { checkBases } from '../checks/from.js';
import { checkStage, ignoredBy, type StageOptions } from '../checks/stage.js';
import type { Dockerfile } from '../language/dockerfile.js';
import { fault } from '../language/fault.js';
import type { Variables } from '../plan/arguments.js';
import type { PlannedStage } from '../plan/stages.js';
import type { Lines } from './lines.js';
import type { State } from './state.js';

/** The checks of a build's file: what they find is a warning, or fails the build where the file says so. */
export class Checks {
  readonly #dockerfile: Dockerfile;
  readonly #findings: Findings;
  readonly #options: StageOptions;
  readonly #lines: Lines;
  #told = 0;
  readonly #stages = new Set<number>();
  /** The stages are looked at as they are built, when their variables are known. */
  #areStagesLeft = true;

  private constructor(dockerfile: Dockerfile, findings: Findings, options: StageOptions, lines: Lines) {
    this.#dockerfile = dockerfile;
    this.#findings = findings;
    this.#options = options;
    this.#lines = lines;
  }

  /**
   * Begins with what the file alone shows.
   * @param factsOf brings images here: where a finding is an error, nothing is built before all is looked at
   * @throws InvalidParameter for options that are none, DockerfileFault for findings that are errors
   */
  static async begin(
    dockerfile: Dockerfile,
    given: Scope & { automatic: Variables; globals: Variables },
    lines: Lines,
    factsOf: BaseFacts,
  ): Promise<Checks> {
    const findings = checkText(dockerfile, given);
    const { globals, BuildArgs: buildArgs = {}, Ignore } = given;
    const checks = new Checks(dockerfile, findings, { globals, buildArgs, ignored: ignoredBy(Ignore) }, lines);
    if (findings.options.isError) {
      checks.#areStagesLeft = false;
      await checkAll(
        dockerfile,
        { ...given, Target: given.Target || `${dockerfile.stages.length - 1}` },
        findings,
        factsOf,
      );
    } else checkBases(dockerfile, findings, given);
    await checks.#tell();
    if (findings.failure !== undefined) throw fault(findings.failure);
    return checks;
  }

  /** A stage begins with that state. */
  async stage({ stage, index }: PlannedStage, { variables, args, config }: State): Promise<void> {
    // A build may begin anew.
    if (!this.#areStagesLeft || this.#stages.has(index)) return;
    this.#stages.add(index);
    const hasShell = (config.Shell ?? []).length > 0;
    const walk = { values: new Map(variables), args: new Set(args.keys()), isKnown: true, hasShell };
    checkStage(this.#dockerfile, stage, this.#findings, walk, this.#options);
    await this.#tell();
  }

  async #tell(): Promise<void> {
    const fresh = this.#findings.all.slice(this.#told);
    this.#told += fresh.length;
    for (const { rule, text, description, url, start, end } of fresh) {
      const Short = `${rule}: ${text} (line ${start})`;
      const Line = { Line: start, ...(end > start && { EndLine: end }) };
      await this.#lines.say({ Warning: { Short, Detail: description, URL: url, ...Line, Rule: rule } });
    }
  }
}
