import type { CommandResult } from './docker.js';
import type { Call, ScriptedVolumePlugin } from './scripted-volume.js';

/** The outcome of a story's step, as it came. */
export interface RawStep extends CommandResult {
  command: string;
  calls: Call[];
}

/** The same without what differs by nature. */
interface Step extends CommandResult {
  command: string;
  calls: string[];
}

export interface Transcript {
  steps: Step[];
  /** Mounts that are left in the end, as the driver knows them. */
  held: string[];
  /** How each method is called: the verb, the type of answer that is accepted, and the types of the body's members. */
  shapes: Record<string, string[]>;
  /** The content types that the bodies have. */
  contentTypes: (string | undefined)[];
}

/** A story as one engine told it, to be compared with another's. */
export function transcript(steps: readonly RawStep[], plugin: ScriptedVolumePlugin, driver: string): Transcript {
  const plain = new Plain(plugin.root, driver);
  const all = steps.flatMap(({ calls }) => calls);
  return {
    steps: steps.map(({ command, code, stdout, stderr, calls }) => ({
      command: plain.text(command),
      // First the calls: what is printed of several IDs is in the order of the IDs.
      calls: comparable(calls, (text) => plain.text(text)),
      code,
      stdout: sortedIds(plain.printed(stdout)),
      stderr: plain.printed(stderr),
    })),
    held: [...plugin.held].map((mount) => plain.text(mount)),
    shapes: shapesOf(all),
    contentTypes: [...new Set(all.map(({ headers }) => headers['content-type']))],
  };
}

/**
 * Questions: they change nothing, and how often and when they are asked is each engine's own business. Docker asks Get
 * before nearly everything, Path for a volume whose Get tells no mount point, and List of all drivers for some lookups.
 */
const questions = new Set(['Plugin.Activate', 'Capabilities', 'Get', 'Path', 'List']);

/** Calls in their order, without the questions. */
function comparable(calls: readonly Call[], number: (text: string) => string): string[] {
  const lines: string[] = [];
  const demands = calls.filter(({ method }) => !questions.has(method));
  while (demands.length > 0) {
    const { method } = demands[0] as Call;
    const end = demands.findIndex((call) => call.method !== method);
    const run = demands.splice(0, end < 0 ? demands.length : end);
    // dockerd walks a container's mounts as a Go map, in any order, and Cleat asks for all of them at once: two of one
    // command may come in either order. (No step asks for two volumes that nobody named.)
    const mayMix = ['Create', 'Mount', 'Unmount'].includes(method);
    if (mayMix) run.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const numbered = run.map(({ body }) => `${method} ${number(JSON.stringify(body))}`);
    lines.push(...(mayMix ? numbered.sort() : numbered));
  }
  return lines;
}

const nameOf = ({ body }: Call): string => String(body?.Name);

/** Replaces what differs by nature: IDs are numbered in order of appearance, short ones like their long forms. */
class Plain {
  readonly #ids: string[] = [];
  readonly #root: string;
  readonly #driver: string;

  constructor(root: string, driver: string) {
    this.#root = root;
    this.#driver = driver;
  }

  text(text: string): string {
    return text
      .replaceAll(this.#root, 'ROOT')
      .replaceAll(this.#driver, 'DRIVER')
      .replaceAll(/\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b/g, (id) => {
        let at = this.#ids.findIndex((known) => known.startsWith(id));
        if (at < 0) at = this.#ids.push(id) - 1;
        return `<${at}>`;
      });
  }

  printed(text: string): string {
    return (
      this.text(text)
        // Newer versions of Docker say more of what failed.
        .replaceAll('failed to create task for container: ', '')
        // Each says which runtime it used.
        .replaceAll(/\b(runc|crun) create failed/g, 'RUNTIME create failed')
        .replaceAll(/failed to populate volume: error while mounting volume '[^']*': /g, '')
        // Whether it is the name or the path depends on what has been asked of the driver before.
        .replaceAll(/error while mounting volume '[^']*'/g, "error while mounting volume '…'")
        // Docker keeps who uses a volume in a Go map.
        .replaceAll(/volume is in use - \[(.*)\]/g, (_, ids: string) => `in use: ${ids.split(', ').sort().join(', ')}`)
        // The client complains of an answer that comes before it has sent everything.
        .replaceAll(/^time=.*\n/gm, '')
    );
  }
}

/** Volumes are listed by name: without names of their own in any order. */
function sortedIds(text: string): string {
  return text.includes('\n<') ? `${text.trimEnd().split('\n').sort().join('\n')}\n` : text;
}

function shapesOf(calls: readonly Call[]): Transcript['shapes'] {
  const shapes: Record<string, Set<string>> = {};
  for (const { method, verb, headers, body } of calls) {
    // Docker sends no body there, Cleat an empty object as everywhere.
    if (method === 'Plugin.Activate') continue;
    const types = Object.entries(body ?? {}).map(([name, value]) => `${name}: ${value === null ? null : typeof value}`);
    const shape = `${verb} {${types.join(', ')}}, accepts ${headers.accept}`;
    shapes[method] = (shapes[method] ?? new Set()).add(shape);
  }
  return Object.fromEntries(Object.entries(shapes).map(([method, set]) => [method, [...set].sort()]));
}
