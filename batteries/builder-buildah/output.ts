import type { BuildLine } from '@cleat/protocol/kinds/builder';

type Vertex = NonNullable<BuildLine['Vertex']>;

/** Longest text that is kept to be told as the reason of a failure. */
const maxError = 16 * 1024;

/** Reads the output of `buildah build` as events of a build. */
export class Output {
  readonly #tell: (line: BuildLine) => void;
  #vertex: Vertex | undefined;
  /** Steps of the stages that are done. */
  #before = 0;
  #stage = '';
  #stageSteps = 0;
  #error = '';

  constructor(tell: (line: BuildLine) => void) {
    this.#tell = tell;
  }

  /** A line without its end. */
  line(stream: 1 | 2, text: string): void {
    const [, stage = '', step, steps, name] = /^(?:\[(\d+)\/\d+\] )?STEP (\d+)\/(\d+): (.*)$/.exec(text) ?? [];
    if (stream === 1 && step !== undefined && name !== undefined) {
      this.#begin(stage, Number(step), Number(steps), name);
    } else if (stream === 1 && text.startsWith('--> Using cache')) {
      this.#change({ Cached: true });
    } else if (stream === 2 && text.startsWith('Error: ')) {
      this.#error = text.slice('Error: '.length, maxError);
    } else if (this.#vertex && !(stream === 1 && /^(?:\[\d+\/\d+\] )?(?:--> [0-9a-f]{8,}|COMMIT\b)/.test(text))) {
      const Data = Buffer.from(`${text}\n`).toString('base64');
      this.#tell({ Log: { Vertex: this.#vertex.ID, Stream: stream, Data } });
    }
  }

  /** The end of a build that succeeded. */
  succeed(Image: string): void {
    this.#end(Image);
    this.#tell({ Result: { Image } });
  }

  fail(fallback: string): void {
    const code = /exit status (\d+)$/.exec(this.#error)?.[1];
    const run = /^RUN (.*)$/s.exec(this.#vertex?.Name ?? '')?.[1];
    const Message =
      code !== undefined && run !== undefined
        ? `The command '${commandOf(run)}' returned a non-zero code: ${code}`
        : this.#error || fallback;
    if (this.#vertex) this.#change({ Error: Message, Completed: now() });
    this.#tell({
      Error: {
        Message,
        ...(code !== undefined && run !== undefined && { Code: Number(code) }),
        ...(this.#vertex && { Vertex: this.#vertex.ID }),
      },
    });
  }

  #begin(stage: string, step: number, steps: number, Name: string): void {
    this.#end();
    if (stage !== this.#stage) this.#before += this.#stageSteps;
    this.#stage = stage;
    this.#stageSteps = steps;
    const Step = this.#before + step;
    this.#change({ ID: String(Step), Name, Step, Steps: this.#before + steps, Started: now() }, true);
  }

  #end(Image?: string): void {
    if (this.#vertex) this.#change({ Completed: now(), ...(Image && { Image }) });
  }

  #change(what: Partial<Vertex>, isNew = false): void {
    const before = isNew ? { ID: '', Name: '' } : this.#vertex;
    if (!before) return;
    this.#vertex = { ...before, ...what };
    this.#tell({ Vertex: this.#vertex });
  }
}

const now = (): string => new Date().toISOString();

/** As the classic builder shows it. */
function commandOf(run: string): string {
  try {
    const words: unknown = JSON.parse(run);
    if (Array.isArray(words)) return words.join(' ');
  } catch {
    // It is for a shell.
  }
  return `/bin/sh -c ${run}`;
}
