import { linkSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { conflict, invalidParameter, unavailable } from '@cleat/protocol/errors';

/** Where a plugin's own socket is while a recorder has its place. No engine takes it for a plugin. */
export const asidePath = (socket: string): string => `${socket}.original`;

/** Where the recorder begins to listen, before it takes the place. */
export const waitingPath = (socket: string): string => `${socket}.recorder`;

/**
 * Puts a plugin's socket back that a recorder which was killed has left aside. A plugin that was started again
 * meanwhile has its place already.
 * @returns whether anything was aside
 * @throws Conflict when another recorder is at work
 */
export async function putBack(socket: string): Promise<boolean> {
  const aside = asidePath(socket);
  const kept = statSync(aside, { throwIfNoEntry: false });
  if (kept === undefined) return false;
  // Killed before it took the place.
  if (statSync(socket, { throwIfNoEntry: false })?.ino === kept.ino) {
    rmSync(aside);
    return true;
  }
  const [placeTaken, lives] = await Promise.all([isAnswered({ path: socket }), isAnswered({ path: aside })]);
  if (placeTaken && lives) {
    throw conflict(`another recorder is at work at ${socket}: stop it first, or remove ${aside} if there is none`);
  }
  if (placeTaken) rmSync(aside, { force: true });
  else renameSync(aside, socket);
  return true;
}

/** @throws InvalidParameter for what is no socket; Unavailable when nobody listens there; Conflict, as {@link putBack} */
export async function checkPlace(socket: string): Promise<void> {
  const facts = statSync(socket, { throwIfNoEntry: false });
  if (!facts?.isSocket()) throw invalidParameter(`${socket} is no socket: name another place with --listen`);
  if (!(await isAnswered({ path: socket }))) throw unavailable(`nobody listens at ${socket}: start the plugin first`);
}

/**
 * Moves a plugin's socket aside, and the recorder's, which listens at its waiting path, to its place. Engines that
 * connect from now on come to the recorder; the plugin notices nothing.
 * @returns gives the place back, unless a plugin that was started anew has taken it
 */
export function takePlace(socket: string): () => void {
  const [aside, waiting] = [asidePath(socket), waitingPath(socket)];
  const ours = statSync(waiting).ino;
  // A link first: there is no moment without a socket at its place.
  linkSync(socket, aside);
  renameSync(waiting, socket);
  return () => {
    if (statSync(socket, { throwIfNoEntry: false })?.ino === ours) renameSync(aside, socket);
    else rmSync(aside, { force: true });
  };
}

/** How long a process that lives may take to accept, in ms. */
const acceptMs = 2_000;

/** Whether somebody accepts connections there. */
export function isAnswered(where: { path: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(where);
    const done = (answered: boolean) => {
      probe.destroy();
      resolve(answered);
    };
    probe.setTimeout(acceptMs, () => done(true));
    probe.once('connect', () => done(true));
    probe.once('error', () => done(false));
  });
}
