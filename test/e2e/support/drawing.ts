import { fits, readDrawnValue, shown } from './drawn-value.js';
import type { Exchange } from './recording-plugin.js';

/** Which engine a line of a drawing is about, where it is not about both. */
export type Side = 'dockerd' | 'Cleat';

/** A step of a drawing: what is done, and what is said then. */
export interface DrawnStep {
  /** `$ docker …` as words, or what happens (`* the engine is killed`) as a sentence. */
  action: { docker: string[] } | { event: string };
  /** Messages as they are drawn, with single spaces. */
  messages: string[];
  /** Calls that may come from now on, or not. */
  perhaps: string[];
  /** Texts that the output must contain; a command without any must succeed. */
  printed: string[];
}

/**
 * A drawing (docs/guide/kinds/README.md says how it is written) as one engine is to act it.
 * @throws Error for a line that is none of the notation
 */
export function readDrawing(text: string, side: Side): DrawnStep[] {
  const steps: DrawnStep[] = [];
  for (const whole of text.split('\n')) {
    const [, line = '', mark = ''] =
      /^(.*?)(?:\s+\(((?:Cleat|dockerd) only|(?:Cleat, |dockerd, )?perhaps)\))?$/.exec(whole) ?? [];
    const only = /^(Cleat|dockerd)/.exec(mark)?.[0];
    if (line.trim() === '' || line.startsWith('#') || (only !== undefined && only !== side)) continue;
    const [, sign, action] = /^([$*]) (.*)$/.exec(line) ?? [];
    if (action !== undefined) {
      const what = sign === '$' ? { docker: wordsOf(action) } : { event: action };
      steps.push({ action: what, messages: [], perhaps: [], printed: [] });
      continue;
    }
    const step = steps.at(-1);
    if (step === undefined) throw new Error(`nothing has happened before this line of a drawing: ${whole}`);
    const printed = /^user <- engine {2}(.*)$/.exec(line)?.[1];
    if (printed !== undefined) step.printed.push(printed);
    else if (/^engine (->|<-) plugin {2}\S/.test(line)) {
      const kind = mark.endsWith('perhaps') ? step.perhaps : step.messages;
      kind.push(line.replaceAll(/\s+/g, ' '));
    } else throw new Error(`this line of a drawing cannot be read: ${whole}`);
  }
  return steps;
}

/** The words of a command line, without its `docker`. @throws Error for another command */
export function wordsOf(command: string): string[] {
  const [program, ...words] = command.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  if (program !== 'docker') throw new Error(`only docker's commands can be drawn: ${command}`);
  return words.map((word) => word.replaceAll("'", ''));
}

/** Compares what was said with what was drawn, over all steps of one drawing: a placeholder is the same value in each. */
export class Reader {
  #values: ReadonlyMap<string, string> = new Map();
  readonly #perhaps: string[] = [];

  /** From now on these calls may come at any time, or not at all. */
  allow(calls: readonly string[]): void {
    this.#perhaps.push(...calls);
  }

  /**
   * @returns what was said: where it is as drawn, in the drawing's own words, elsewhere in full. Answers are told where
   * they are drawn, and calls that were allowed not at all.
   */
  told(messages: readonly string[], exchanges: readonly Exchange[]): string[] {
    const told: string[] = [];
    for (const { call, body, answer } of exchanges) {
      const begin = `engine -> plugin ${call}`;
      const said = this.#inWordsOf(messages[told.length], begin, body);
      const isAllowed = this.#perhaps.some((allowed) => this.#inWordsOf(allowed, begin, body) === allowed);
      if (said !== messages[told.length] && isAllowed) continue;
      told.push(said);
      const next = messages[told.length];
      if (next?.startsWith('engine <- plugin ')) {
        const status = answer.status === 200 ? '' : ` ${answer.status}`;
        told.push(this.#inWordsOf(next, `engine <- plugin${status}`, JSON.parse(answer.text)));
      }
    }
    return told;
  }

  #inWordsOf(drawn: string | undefined, begin: string, value: unknown): string {
    const full = isEmpty(value) ? begin : `${begin} ${shown(value)}`;
    if (drawn === begin) return isEmpty(value) ? drawn : full;
    if (!drawn?.startsWith(`${begin} {`)) return full;
    const values = new Map(this.#values);
    const mayBe = (placeholder: string, said: string): boolean => {
      const same = [...values].every(([name, known]) => (name === placeholder) === (known === said));
      if (same) values.set(placeholder, said);
      return same;
    };
    if (!fits(readDrawnValue(drawn.slice(begin.length)), value, mayBe)) return full;
    this.#values = values;
    return drawn;
  }
}

/** Some engines send `{}` where others send nothing. */
function isEmpty(value: unknown): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}
