import { inhabitedNamespaces } from '@cleat/linux/net/inhabited';
import { setInterval } from '@cleat/protocol/guard';
import type { NamedContainers } from './containers.js';
import type { Desk } from './desk.js';

type Inhabited = Pick<NamedContainers, 'paths'>;

/** How often it is looked whether anybody is left, while no engine is there. */
const lookMs = 10_000;

/**
 * Without an engine nobody would end the process: it ends when the containers have, or when no engine will find it. It
 * has been alone for a whole interval by then, so an engine that starts again has time to come.
 */
export function watchOrphans(desk: Desk, containers: Inhabited): void {
  let wasAlone = false;
  setInterval(() => {
    if (desk.isAlone && wasAlone && isNeedless(desk, containers)) desk.end();
    wasAlone = desk.isAlone;
  }, lookMs);
}

/** Whether nobody is left who could ask, or an engine that could end it. */
export const isNeedless = (desk: Pick<Desk, 'isReachable'>, { paths }: Inhabited): boolean =>
  !desk.isReachable() || inhabitedNamespaces(paths).size === 0;
