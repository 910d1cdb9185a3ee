import { expandWords } from './expand.js';

/** A document in the file: `<<EOF`, `<<-EOF`, `<<"EOF"`. */
export interface Heredoc {
  readonly name: string;
  /** Variables in it are replaced: its name has no quotes. */
  readonly expand: boolean;
  /** `<<-`: tabs at the beginning of its lines are no part of it. */
  readonly chomp: boolean;
  /** As it stands in the file, its tabs too. */
  readonly content: string;
}

/** Whether the instruction may have documents: RUN, COPY and ADD, also as triggers, unless it is in JSON form. */
export function takesHeredocs(text: string): boolean {
  if (!text.includes('<<')) return false;
  const [, name = '', rest = ''] = /^\s*(?:onbuild\s+)?(run|copy|add)\s+((?:--\S+\s+)*[\s\S]*)$/i.exec(text) ?? [];
  if (name === '') return false;
  return !isJsonList(rest.replace(/^(?:--\S+\s+)*/, ''));
}

/** The documents that a line announces, in their order. @throws DockerfileFault */
export function heredocsIn(text: string): Heredoc[] {
  const words = expandWords(text, () => undefined, { rawQuotes: true, rawEscapes: true, keepUnset: true });
  return words.flatMap((word) => heredocOf(word) ?? []);
}

/** The document that a word stands for; undefined if none. */
export function heredocOf(word: string): Heredoc | undefined {
  const [, , dash = '', rest = ''] = /^(\d*)<<(-?)\s*([^<]*)$/.exec(word) ?? [];
  if (rest === '') return undefined;
  const names = expandWords(rest, () => undefined, { keepUnset: true });
  const [name] = names;
  if (names.length !== 1 || name === undefined) return undefined;
  const quotes = (one: string) => one.match(/['"]/g)?.length ?? 0;
  const [raw = ''] = expandWords(rest, () => undefined, { rawQuotes: true, keepUnset: true });
  return { name, expand: quotes(raw) === quotes(name), chomp: dash === '-', content: '' };
}

/** The content of a document, as its reader gets it. */
export function contentOf({ content, chomp }: Heredoc): string {
  return chomp ? content.replace(/^\t+/gm, '') : content;
}

function isJsonList(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    // Plain words.
    return false;
  }
}
