import { StringDecoder } from 'node:string_decoder';
import type { BuildLine } from '@cleat/engine/build/service';

/** One line of the classic builder's answer. */
export interface ClassicLine {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly aux?: { readonly ID: string };
}

type Vertex = NonNullable<BuildLine['Vertex']>;

interface Step {
  readonly number: number;
  readonly stage: string | undefined;
  /** Lines that wait until another step is told to its end. */
  waiting: ClassicLine[];
  bytes: number;
  hasBegun: boolean;
  container?: string;
  /** Triggers of a FROM that have yet to end: its image is told after them. */
  triggers: number;
  isDone: boolean;
  image?: string;
  readonly out: StringDecoder;
  readonly err: StringDecoder;
}

/** Which containers stay. */
interface KeptContainers {
  readonly keepsContainers: boolean;
  /** Those of steps that failed stay. */
  readonly keepsFailed?: boolean;
}

/** Bytes of steps that wait for their turn; a line more is told at once, between the others. */
const maxWaiting = 4 * 1024 * 1024;

const isFailed = ({ Error: failure }: Vertex): boolean => failure !== undefined && failure !== '';

const shortId = (id: string): string => id.slice(id.indexOf(':') + 1).slice(0, 12);

/**
 * Tells the events of a builder in the words of Docker's classic builder (moby `daemon/builder/dockerfile`), which knew one step at
 * a time: lines of the steps beside it wait until the one that is told has ended.
 */
export class ClassicText {
  readonly #write: (line: ClassicLine) => Promise<void>;
  readonly #keeps: KeptContainers;
  readonly #steps = new Map<string, Step>();
  /** The step of FROM, by the IDs of its triggers. */
  readonly #triggers = new Map<string, Step>();
  /** The number of the step whose turn it is. */
  #turn = 1;
  /** The stage that is told, and its image. */
  #stage: string | undefined;
  #image: string | undefined;
  /** The image that was told last as that of a stage. */
  #told: string | undefined;
  readonly #warnings: string[] = [];

  constructor(write: (line: ClassicLine) => Promise<void>, keeps: KeptContainers) {
    this.#write = write;
    this.#keeps = keeps;
  }

  async take({ Vertex, Log, Status, Warning }: BuildLine): Promise<void> {
    if (Vertex) await this.#vertex(Vertex);
    if (Log) await this.#log(Log);
    if (Status) {
      const { ID, Current, Total } = Status;
      const step = this.#steps.get(Status.Vertex);
      const progressDetail = { ...(Current !== undefined && { current: Current }), ...(Total && { total: Total }) };
      if (step)
        await this.#say(step, { status: Status.Completed ? 'Pull complete' : 'Downloading', progressDetail, id: ID });
    }
    // The classic builder makes no checks.
    if (Warning && Warning.Rule === undefined) {
      const step = Warning.Vertex === undefined ? undefined : this.#steps.get(Warning.Vertex);
      if (step) await this.#say(step, { stream: `[Warning] ${Warning.Short}\n` });
      else this.#warnings.push(Warning.Short);
    }
  }

  /** Tells the lines that still wait, as a build that failed leaves them. */
  async flush(): Promise<void> {
    for (const step of [...this.#steps.values()].sort((a, b) => a.number - b.number)) await this.#tellWaiting(step);
  }

  /** The end of a build that succeeded. */
  async finish(image: string, tags: readonly string[]): Promise<void> {
    await this.flush();
    this.#image = this.#told === image && this.#image === undefined ? undefined : image;
    await this.#endStage();
    for (const warning of this.#warnings) await this.#write({ stream: `[Warning] ${warning}\n` });
    await this.#write({ stream: `Successfully built ${shortId(image)}\n` });
    for (const tag of tags) await this.#write({ stream: `Successfully tagged ${tag}\n` });
  }

  async #vertex(vertex: Vertex): Promise<void> {
    const { ID, Name, Step: number, Steps, Completed } = vertex;
    // The classic builder tells instructions only.
    if (number === undefined) return;
    const from = this.#triggers.get(ID) ?? this.#triggering(ID, number, vertex.Stage);
    if (from) {
      await this.#trigger(from, vertex);
      return;
    }
    const isFrom = /^from\s/i.test(Name);
    const step = this.#steps.get(ID) ?? this.#newStep(ID, number, vertex.Stage);
    if (!step.hasBegun) {
      if (vertex.Started === undefined && Completed === undefined) return;
      step.hasBegun = true;
      if (this.#isToldNow(step)) await this.#enter(step, isFrom);
      await this.#say(step, { stream: `Step ${number}/${Steps ?? number} : ${Name}` });
      await this.#say(step, { stream: '\n' });
    }
    await this.#container(step, vertex);
    if (Completed === undefined || step.isDone) return;
    await this.#ended(step, vertex, isFrom);
    step.triggers = isFailed(vertex) ? 0 : (vertex.Triggers ?? 0);
    if (step.triggers > 0) {
      await this.#say(step, { stream: `# Executing ${step.triggers} build trigger${step.triggers > 1 ? 's' : ''}\n` });
    } else await this.#done(step, { isFrom, isFailed: isFailed(vertex) });
  }

  /** The step of FROM whose triggers are under way. */
  #triggering(id: string, number: number, stage: string | undefined): Step | undefined {
    const from = [...this.#steps].find(
      ([other, step]) => other !== id && step.number === number && step.stage === stage && step.triggers > 0,
    )?.[1];
    if (from) this.#triggers.set(id, from);
    return from;
  }

  async #trigger(from: Step, vertex: Vertex): Promise<void> {
    await this.#container(from, vertex);
    if (vertex.Completed === undefined || from.isDone) return;
    await this.#ended(from, vertex, false);
    from.triggers--;
    if (isFailed(vertex) || from.triggers === 0) await this.#done(from, { isFrom: true, isFailed: isFailed(vertex) });
  }

  async #container(step: Step, { Container }: Vertex): Promise<void> {
    if (!Container || step.container !== undefined) return;
    step.container = Container;
    await this.#say(step, { stream: ` ---> Running in ${shortId(Container)}\n` });
  }

  /** An instruction is done: what it came to, but for its image. */
  async #ended(step: Step, vertex: Vertex, isFrom: boolean): Promise<void> {
    await this.#endOfOutput(step);
    if (vertex.Cached && !isFrom) await this.#say(step, { stream: ' ---> Using cache\n' });
    const { keepsContainers, keepsFailed = true } = this.#keeps;
    if (step.container !== undefined && !(isFailed(vertex) ? keepsFailed : keepsContainers)) {
      await this.#say(step, { stream: ` ---> Removed intermediate container ${shortId(step.container)}\n` });
    }
    delete step.container;
    step.image = vertex.Image ?? step.image;
  }

  async #done(step: Step, how: { isFrom: boolean; isFailed: boolean }): Promise<void> {
    if (!how.isFailed && (step.image || how.isFrom)) {
      await this.#say(step, { stream: ` ---> ${shortId(step.image ?? '')}\n` });
    }
    step.isDone = true;
    if (this.#isToldNow(step)) {
      this.#image = step.image ?? this.#image;
      await this.#next();
    }
  }

  #newStep(id: string, number: number, stage: string | undefined): Step {
    const decoders = { out: new StringDecoder('utf8'), err: new StringDecoder('utf8') };
    const step: Step = {
      number,
      stage,
      waiting: [],
      bytes: 0,
      hasBegun: false,
      triggers: 0,
      isDone: false,
      ...decoders,
    };
    this.#steps.set(id, step);
    return step;
  }

  async #log({ Vertex, Stream, Data }: NonNullable<BuildLine['Log']>): Promise<void> {
    const step = this.#triggers.get(Vertex) ?? this.#steps.get(Vertex);
    if (!step) return;
    const bytes = Buffer.from(Data, 'base64');
    const text = (Stream === 2 ? step.err : step.out).write(bytes);
    if (text !== '') await this.#say(step, { stream: Stream === 2 ? red(text) : text });
  }

  async #endOfOutput(step: Step): Promise<void> {
    const [out, err] = [step.out.end(), step.err.end()];
    if (out !== '') await this.#say(step, { stream: out });
    if (err !== '') await this.#say(step, { stream: red(err) });
  }

  #isToldNow({ number }: Step): boolean {
    return number <= this.#turn;
  }

  async #say(step: Step, line: ClassicLine): Promise<void> {
    if (this.#isToldNow(step)) {
      await this.#write(line);
      return;
    }
    step.waiting.push(line);
    step.bytes += line.stream?.length ?? 100;
    if (step.bytes > maxWaiting) await this.#tellWaiting(step);
  }

  async #tellWaiting(step: Step): Promise<void> {
    const { waiting } = step;
    step.waiting = [];
    step.bytes = 0;
    for (const line of waiting) await this.#write(line);
  }

  /** A step has ended whose turn it was: the next ones are told up to one that goes on, or has yet to begin. */
  async #next(): Promise<void> {
    for (;;) {
      const told = [...this.#steps.values()].filter(({ number }) => number === this.#turn);
      if (told.length === 0 || !told.every(({ isDone }) => isDone)) return;
      this.#turn++;
      for (const step of this.#steps.values()) {
        if (step.number !== this.#turn || step.waiting.length === 0) continue;
        await this.#enter(step, /^Step \S+ : from\s/i.test(step.waiting[0]?.stream ?? ''));
        await this.#tellWaiting(step);
        if (step.isDone) this.#image = step.image ?? this.#image;
      }
    }
  }

  /** Before a step is told: the stage before it has ended, if it is of another one. */
  async #enter({ stage }: Step, isFrom: boolean): Promise<void> {
    if (isFrom || stage !== this.#stage) await this.#endStage();
    this.#stage = stage;
  }

  async #endStage(): Promise<void> {
    if (this.#image === undefined) return;
    this.#told = this.#image;
    this.#image = undefined;
    await this.#write({ aux: { ID: this.#told } });
  }
}

/** As moby's formatter of errors. */
const red = (text: string): string => `\u001b[91m${text}\u001b[0m`;
