import type { Platform } from '../api/images.js';
import { Missing } from '../cache/imports.js';
import { readTrigger } from '../language/dockerfile.js';
import { atLine, located } from '../language/fault.js';
import type { Instruction } from '../language/instruction.js';
import { hostPlatform, parsePlatform } from '../plan/platform.js';
import { instructionOrigins, originsOf, type PlannedStage } from '../plan/stages.js';
import { type BuildContext, type StageResults, StepFailure, Vanished } from './context.js';
import { copyStep } from './copy-step.js';
import { stepImage } from './image.js';
import { applyMetadata, applyWorkdir, type Metadata, note, type Scope } from './metadata.js';
import { runStep } from './run-step.js';
import { fullReference, shownName } from './shown-name.js';
import { continued, noLayers, type State, stateOf } from './state.js';
import { perform } from './step.js';
import { StepView } from './step-view.js';
import { workdirStep } from './workdir-step.js';

/** The stages of a build: each is made once, as soon as somebody needs it, and those that do not need each other at once. */
export class Stages implements StageResults {
  readonly #context: BuildContext;
  readonly #scope: Scope;
  readonly #results = new Map<number, Promise<State>>();
  readonly #stop = new AbortController();
  /** The number of the first step of each stage, from 1. */
  readonly #firstSteps = new Map<number, number>();
  readonly #steps: number;

  constructor(context: BuildContext) {
    this.#context = context;
    const { buildArgs, globals, dockerfile, plan } = context;
    this.#scope = { buildArgs, globals, escape: dockerfile.directives.escape };
    let steps = dockerfile.globals.length;
    for (const index of plan.needed) {
      this.#firstSteps.set(index, steps + 1);
      steps += 1 + (plan.stages[index]?.stage.instructions.length ?? 0);
    }
    this.#steps = steps + this.#labels.length;
  }

  /** The instructions that belong to no stage come first. */
  async tellGlobals(): Promise<void> {
    for (const [index, { text }] of this.#context.dockerfile.globals.entries()) await this.#told(index + 1, text, '');
  }

  /** Labels of the order come last, each as if the Dockerfile had it. */
  async tellLabels(image: string): Promise<void> {
    for (const [index, label] of this.#labels.entries()) {
      await this.#told(this.#firstLabel + index, `LABEL ${label.join('=')}`, image);
    }
  }

  /** The same where each step has an image: so has each label. */
  async labelSteps(state: State): Promise<void> {
    const { NoCache: ignoreCache = false } = this.#context.request;
    for (const [index, [key, value]] of this.#labels.entries()) {
      const what = `LABEL ${key}=${value}`;
      state.config.Labels = { ...state.config.Labels, [key]: value };
      note(state, what, { empty_layer: true });
      const isKnown = await stepImage(this.#context, state, {
        what,
        ignoreCache,
        isLast: index === this.#labels.length - 1,
      });
      await this.#told(this.#firstLabel + index, what, state.image, isKnown);
    }
  }

  get #firstLabel(): number {
    return this.#steps - this.#labels.length + 1;
  }

  get #labels(): [key: string, value: string][] {
    const { Labels = {} } = this.#context.request;
    return Object.entries(Labels).sort(([one], [other]) => (one < other ? -1 : 1));
  }

  async #told(Step: number, Name: string, image: string, isCached = false): Promise<void> {
    const ID = `around:${Step}`;
    const vertex = new StepView(this.#context.lines, {
      ID,
      Name,
      Step,
      Steps: this.#steps,
      StageStep: 0,
      StageSteps: 0,
    });
    await vertex.start();
    await vertex.done(image, isCached);
  }

  /** The image of a stage, for steps that copy from it. @throws the failure of it, or of one that it needs */
  async result(index: number): Promise<State> {
    const known = this.#results.get(index);
    if (known) return await known;
    const making = this.#make(index);
    making.catch(() => {}); // The stage that needs it is told.
    this.#results.set(index, making);
    return await making;
  }

  /** Waits until nothing is under way. */
  async settled(): Promise<void> {
    this.#stop.abort();
    for (let known = -1; known !== this.#results.size; ) {
      known = this.#results.size;
      await Promise.allSettled(this.#results.values());
    }
  }

  async #make(index: number): Promise<State> {
    const { plan, contexts } = this.#context;
    const planned = plan.stages[index];
    if (!planned) throw new Error(`there is no stage ${index}`);
    // Stages that it needs later on are begun now.
    for (const origin of originsOf(plan.stages, planned, contexts)) {
      if (origin.kind === 'stage') this.result(origin.index).catch(() => {}); // It is told where it is needed.
    }
    const { state, triggers } = await this.#begin(planned);
    await this.#context.checks?.stage(planned, state);
    let step = (this.#firstSteps.get(index) ?? 1) + 1;
    let layer = beginsWithLayer(planned) ? 1 : 0;
    for (const [index, text] of triggers.entries()) {
      const instruction = readTrigger(text, planned.stage.line);
      // Their number is not known before: as BuildKit's, they go beyond what is told as the last one.
      if (makesLayer(instruction)) layer++;
      const layerStep = makesLayer(instruction) ? layer : 0;
      await this.#instruction(planned, state, instruction, { step: step - 1, layerStep, trigger: index + 1 });
    }
    for (const instruction of planned.stage.instructions) {
      if (makesLayer(instruction)) layer++;
      const layerStep = makesLayer(instruction) ? layer : 0;
      await this.#instruction(planned, state, instruction, { step: step++, layerStep });
    }
    return state;
  }

  /** The step of an earlier stage that begins with the same image. */
  #sameBase({ index, base, platform }: PlannedStage): string | undefined {
    const { plan } = this.#context;
    const same = plan.needed.find((other) => {
      const { base: one, platform: its } = plan.stages[other] ?? {};
      return one?.kind === 'image' && base.kind === 'image' && one.reference === base.reference && its === platform;
    });
    return same === undefined || same === index ? undefined : `stage-${same}:${this.#firstSteps.get(same) ?? 1}`;
  }

  /** FROM. */
  async #begin(planned: PlannedStage): Promise<{ state: State; triggers: string[] }> {
    const { stage, base, index } = planned;
    const step = this.#firstSteps.get(index) ?? 1;
    const vertex = this.#vertex(planned, stage.text, step, {
      layerStep: beginsWithLayer(planned) ? 1 : 0,
      ...(base.kind === 'image' && { shown: `FROM ${fullReference(base.reference)}`, same: this.#sameBase(planned) }),
    });
    // Its own step begins when there is something to begin with.
    if (base.kind === 'stage') await this.result(base.index);
    return await this.#shown(vertex, stage.line, async () => {
      const platform = this.#platformOf(planned);
      const begun = await this.#base(base, platform, vertex);
      const triggers = begun.config.OnBuild ?? [];
      delete begun.config.OnBuild;
      const { StepImages } = this.#context.request;
      // A base of files only has no image yet.
      if (StepImages && begun.image === '' && begun.layers.id !== '') {
        await stepImage(this.#context, begun, { what: stage.text, ignoreCache: false, isLast: true });
      }
      await vertex.done(StepImages ? begun.image : begun.layers.id, false, triggers.length);
      return { state: begun, triggers };
    });
  }

  async #base(base: PlannedStage['base'], platform: Platform | undefined, vertex: StepView): Promise<State> {
    const context = this.#context;
    if (base.kind === 'scratch') return stateOf('', noLayers, { WorkingDir: '/' }, platform ?? hostPlatform());
    if (base.kind === 'stage') {
      const before = await this.result(base.index);
      const state = continued(before);
      // Its triggers are for the stage that takes it.
      if (before.config.OnBuild) state.config.OnBuild = [...before.config.OnBuild];
      return state;
    }
    const named = base.kind === 'context' ? context.request.Contexts?.[base.name] : undefined;
    if (base.kind === 'context' && named?.Directory) return await this.#ofDirectory(base.name, platform, vertex);
    const reference = base.kind === 'image' ? base.reference : (named?.Image ?? '');
    const image = await context.bases.get(reference, platform, vertex);
    return stateOf(image.id, { id: image.id, layers: image.layers }, image.config, image.platform, image.author);
  }

  /** A context as a base is an image of its files. */
  async #ofDirectory(name: string, platform: Platform | undefined, vertex: StepView): Promise<State> {
    const state = stateOf('', noLayers, { WorkingDir: '/' }, platform ?? hostPlatform());
    const text = `COPY --from=${name} / /`;
    const here = {
      index: this.#context.plan.stages.length,
      label: '',
      baseName: '',
      base: { kind: 'scratch' },
    } as const;
    const stage = { base: 'scratch', text, line: 0, instructions: [] };
    const instruction = {
      name: 'COPY',
      from: name,
      parents: false,
      link: false,
      exclude: [],
      sources: ['/'],
      inline: [],
      target: '/',
      text,
      line: 0,
    } as const;
    const quiet = new StepView(this.#context.lines, { ID: `${vertex.id}:files`, Name: `[context ${name}]` });
    const step = await copyStep(this.#context, this, { ...here, stage }, state, instruction, quiet);
    await perform(this.#context, state, step, quiet, false);
    return state;
  }

  async #instruction(
    planned: PlannedStage,
    state: State,
    instruction: Instruction,
    { step, layerStep, trigger }: { step: number; layerStep: number; trigger?: number },
  ): Promise<void> {
    const context = this.#context;
    context.signal.throwIfAborted();
    if (this.#stop.signal.aborted) throw new Error('another stage has failed');
    const shown = makesLayer(instruction) && shownName(instruction, state, this.#scope.escape);
    const vertex = this.#vertex(planned, `${trigger ? 'ONBUILD ' : ''}${instruction.text}`, step, {
      layerStep,
      ...(shown && { shown }),
      ...(trigger && { more: `:${trigger}` }),
    });
    const { name } = instruction;
    // Its own time begins when the stages that it needs are there; how they fail is told below.
    const origins = instructionOrigins(context.plan.stages, planned, instruction, context.contexts);
    await Promise.allSettled(origins.map((one) => (one.kind === 'stage' ? this.result(one.index) : undefined)));
    await this.#shown(vertex, instruction.line, async () => {
      if (name === 'RUN') {
        await this.#perform(planned, state, await runStep(context, this, planned, state, instruction, vertex), vertex);
      } else if (name === 'COPY' || name === 'ADD') {
        await this.#perform(planned, state, await copyStep(context, this, planned, state, instruction, vertex), vertex);
      } else if (name === 'WORKDIR') {
        const directory = applyWorkdir(state, instruction.value, this.#scope);
        await this.#perform(planned, state, workdirStep(context, state, directory, instruction.text), vertex);
      } else {
        await this.#metadata(planned, state, instruction, vertex);
      }
    });
  }

  async #metadata(planned: PlannedStage, state: State, instruction: Metadata, vertex: StepView): Promise<void> {
    const context = this.#context;
    const { Healthcheck } = state.config;
    applyMetadata(state, instruction, this.#scope);
    if (!context.request.StepImages) {
      await vertex.done(state.layers.id);
      return;
    }
    const former = Healthcheck?.Test ?? [];
    if (instruction.name === 'HEALTHCHECK' && former.length > 0 && former[0] !== 'NONE') {
      await vertex.log(1, Buffer.from(`Note: overriding previous HEALTHCHECK: [${former.join(' ')}]\n`));
    }
    const ignoreCache = this.#ignoresCache(planned);
    const isKnown = await stepImage(context, state, { what: instruction.text, ignoreCache, isLast: vertex.isLast });
    await vertex.done(state.image, isKnown);
  }

  #ignoresCache({ label }: PlannedStage): boolean {
    const { NoCache = false, NoCacheFilter } = this.#context.request;
    return NoCache || (NoCacheFilter?.some((name) => name.toLowerCase() === label) ?? false);
  }

  async #perform(
    planned: PlannedStage,
    state: State,
    step: Parameters<typeof perform>[2],
    vertex: StepView,
  ): Promise<void> {
    await perform(this.#context, state, step, vertex, this.#ignoresCache(planned));
  }

  /** Shows a step from its beginning to its end; what goes wrong gets the line. */
  async #shown<T>(vertex: StepView, line: number, work: () => Promise<T>): Promise<T> {
    await vertex.start();
    try {
      return await work();
    } catch (error) {
      if (
        error instanceof StepFailure ||
        error instanceof Vanished ||
        error instanceof Missing ||
        this.#context.signal.aborted
      ) {
        // Not this step has failed.
        await vertex.failed(new Error('context canceled'));
        throw error;
      }
      const told = located(error, line);
      await vertex.failed(told);
      throw new StepFailure(told, vertex.id, line);
    }
  }

  #platformOf({ platform, stage }: PlannedStage): Platform | undefined {
    if (platform === undefined) return this.#context.platform;
    return atLine(stage.line, () => parsePlatform(platform));
  }

  #vertex(
    planned: PlannedStage,
    name: string,
    step: number,
    {
      layerStep,
      more = '',
      shown,
      same,
    }: { layerStep: number; more?: string; shown?: string; same?: string | undefined },
  ): StepView {
    const { index, label, stage } = planned;
    const inputs = step > (this.#firstSteps.get(index) ?? 1) ? [`stage-${index}:${step - 1}`] : [];
    return new StepView(this.#context.lines, {
      ID: `stage-${index}:${step}${more}`,
      Name: name,
      ...(shown && { Expanded: shown }),
      ...(same && { Same: same }),
      Step: step,
      Steps: this.#steps,
      Stage: label,
      StageStep: layerStep,
      StageSteps: stage.instructions.filter(makesLayer).length + (beginsWithLayer(planned) ? 1 : 0),
      ...(inputs.length > 0 && { Inputs: inputs }),
    });
  }
}

/** Whether a stage begins with layers of its own, for who counts. */
function beginsWithLayer({ base }: PlannedStage): boolean {
  return base.kind !== 'stage' && base.kind !== 'scratch';
}

function makesLayer({ name }: Instruction): boolean {
  return ['RUN', 'COPY', 'ADD', 'WORKDIR'].includes(name);
}
