import type { HookMatch, Sight } from '@cleat/protocol/kinds/hook';
import type { Link } from './link.js';
import { fitsCaller, fitsLabels, mayFit } from './match.js';
import type { HookSubject, HookWishes } from './service.js';

/** A hook that a request concerns, and what it is shown. */
export interface Concerned {
  readonly link: Link;
  readonly request: Sight;
  readonly response: Sight;
}

/**
 * Which hooks a request concerns, in the order of the file. The file decides first: a hook that is gone is missed only by
 * what would have been put to it.
 * @param wishes asks a hook that has not said what it wants; undefined: it fails, and may be passed by
 */
export async function concerned(
  links: readonly Link[],
  subject: HookSubject,
  wishes: (link: Link) => Promise<HookWishes | undefined>,
): Promise<Concerned[]> {
  const fits = fitting(subject);
  const found: Concerned[] = [];
  for (const link of links) {
    const { hook, entry } = link;
    if (!link.mayWant(subject.route) || !(await fits(entry.match)) || hook.isCaller?.(subject.caller)) continue;
    const wished = hook.known ?? (await wishes(link));
    if (!wished || !link.mayWant(subject.route) || !(await fits(wished.match))) continue;
    found.push({ link, request: wished.request, response: wished.response });
  }
  return found;
}

/** Whether a request fits one of the alternatives; without any it does. */
function fitting({ route, caller, body, labels }: HookSubject) {
  let known: Promise<Readonly<Record<string, string>>> | undefined;
  const own = async () => ({ ...(await labels()), ...labelsIn(await body()) });
  return async (alternatives: readonly HookMatch[] | undefined): Promise<boolean> => {
    if (!alternatives) return true;
    for (const one of alternatives) {
      if (!mayFit(one, route) || (one.Callers && !fitsCaller(one.Callers, caller))) continue;
      if (!one.Labels) return true;
      known ??= own();
      if (fitsLabels(one.Labels, await known)) return true;
    }
    return false;
  };
}

/** Labels of the object that a request is to make. */
function labelsIn(body: unknown): Readonly<Record<string, string>> {
  const labels: unknown = typeof body === 'object' && body !== null && 'Labels' in body ? body.Labels : undefined;
  return typeof labels === 'object' && labels !== null ? (labels as Record<string, string>) : {};
}
