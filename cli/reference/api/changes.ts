import { olderChanges } from './older-changes.js';
import { recentChanges } from './recent-changes.js';

/** The fate of a change here. */
export type State = 'served' | 'refused' | 'none';

/**
 * `body`, `query`: what a client sends. `answer`: is there from this version on, `gone`: until the one before, `always`:
 * in every version. `route`: the request itself. `text`: what no table checks; a test of its own does.
 */
export type Kind = 'body' | 'query' | 'answer' | 'gone' | 'always' | 'route' | 'text';

/** A change of Docker's API. */
export interface Change {
  readonly version: string;
  readonly state: State;
  readonly kind: Kind;
  /** `GET /containers/{id}/json` */
  readonly request: string;
  /** A path of members (`[]` an element of a list, `*` of a map) or the name of a parameter, and words about it. */
  readonly field: string;
  readonly why?: string;
}

const line = /^(served|refused|none) (body|query|answer|gone|always|route|text) ([A-Z]+ \S+) ([^;]+)(?:; (.+))?$/;

/** All of them, the newest version first. @throws TypeError for a line that is none */
export function changes(): Change[] {
  let version = '';
  return `${recentChanges}${olderChanges}`.split('\n').flatMap((text): Change[] => {
    const head = /^## (\d+\.\d+)$/.exec(text);
    if (head) version = head[1] ?? '';
    if (text === '' || head) return [];
    const [, state, kind, request = '', field = '', why] = line.exec(text) ?? [];
    if (request === '' || (state !== 'served' && why === undefined)) throw new TypeError(`no change: ${text}`);
    return [{ version, state: state as State, kind: kind as Kind, request, field, ...(why && { why }) }];
  });
}

/** The versions that the tables go through, whether they changed anything or not; the newest first. */
export function tabled(): string[] {
  return [...`${recentChanges}${olderChanges}`.matchAll(/^## (\d+\.\d+)$/gm)].map(([, version = '']) => version);
}
